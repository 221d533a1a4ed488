/**
 * The encoder of one modality, as in the paper: adapter, transformer, final norm, projection, L2 normalisation.
 * Sources: transformer_encoder.py:74-236, one_peace_retrieval.py:96-120.
 */
import type { Modality } from '../modality.ts'
import type { GraphBuilder, Value } from '../onnx/graph-builder.ts'
import type { ModelConfig } from './config.ts'
import { transformerLayer } from './layer.ts'
import { layerNorm, linear } from './operations.ts'

/** What an adapter makes of an input. T counts the CLS position. */
export interface Sequence {
  /** float32 (B, T, D) */
  x: Value
  /** bool (B, T), true = padding; absent where a modality has none. */
  padding?: Value
  /** One bias (1, H, T, T) for all layers, or one a layer. */
  biases: readonly Value[]
}

/** torch.nn.functional.normalize's guard against division by zero. */
const NORM_EPSILON = 1e-12

/** Token features after the modality's final norm, (B, T, D). */
export function transformer(g: GraphBuilder, sequence: Sequence, modality: Modality, config: ModelConfig): Value {
  return g.scope('encoder', () => {
    const { biases } = sequence
    let x = sequence.x
    let keyBias: Value | undefined
    if (sequence.padding) {
      x = g.op('Where', [g.op('Unsqueeze', [sequence.padding, g.int64([2])]), g.scalar(0), x])
      const keys = g.op('Where', [sequence.padding, g.scalar(Number.NEGATIVE_INFINITY), g.scalar(0)]) // (B, T)
      keyBias = g.op('Unsqueeze', [keys, g.int64([1, 2])]) // (B, 1, 1, T)
    }
    const masked = biases.map((bias) => (keyBias ? g.op('Add', [bias, keyBias]) : bias))
    for (let layer = 0; layer < config.layers; layer++) {
      x = transformerLayer(g, x, layer, modality, config, masked[layer] ?? masked[0]!)
    }
    return layerNorm(g, x, `encoder_wrapper.fusion_model.${modality}_layer_norm`)
  })
}

/** Unit vectors (B, D) from the CLS position of `hidden` (B, T, D): the retrieval embedding. */
export function projection(g: GraphBuilder, hidden: Value, modality: Modality): Value {
  const cls = g.op('Gather', [hidden, g.int64([0], [])], { axis: 1 }) // (B, D)
  const projected = linear(g, cls, `${modality}_proj`) // (B, D)
  const norm = g.op('ReduceL2', [projected, g.int64([-1])], { keepdims: 1 }) // (B, 1)
  return g.op('Div', [projected, g.op('Max', [norm, g.scalar(NORM_EPSILON)])])
}
