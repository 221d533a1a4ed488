/**
 * The encoder as in the paper: adapters, shared transformer, final norm; for an embedding projection and L2 normalisation.
 * Sources: transformer_encoder.py:74-236, one_peace_retrieval.py:96-120.
 */
import type { Modality } from '../modality.ts'
import type { GraphBuilder, Value } from '../onnx/graph-builder.ts'
import type { ModelConfig } from './config.ts'
import { geglu } from './geglu.ts'
import { joinSequences, type Sequence } from './joint-sequence.ts'
import { type FeedForward, transformerLayer } from './layer.ts'
import { layerNorm, linear } from './operations.ts'

/** One modality's tokens on their way through the transformer. */
export interface Part {
  modality: Modality
  sequence: Sequence
}

/** torch.nn.functional.normalize's guard against division by zero. */
const NORM_EPSILON = 1e-12

/** Token features of each part after its modality's final norm, (B, T_i, D). Parts: one, or text and a medium. */
export function transformer(g: GraphBuilder, parts: readonly Part[], config: ModelConfig): Value[] {
  return g.scope('encoder', () => {
    const sequences = parts.map(({ sequence }) => sequence)
    const { x: joint, biases, split, join } = joinSequences(g, sequences)
    const feedForward: FeedForward = (y, path) =>
      join(split(y).map((tokens, i) => geglu(g, tokens, `${path}.${parts[i]!.modality}_ffn`)))
    let x = joint
    for (let layer = 0; layer < config.layers; layer++) {
      x = transformerLayer(g, x, layer, config, biases[layer] ?? biases[0]!, feedForward)
    }
    return split(x).map((tokens, i) =>
      layerNorm(g, tokens, `encoder_wrapper.fusion_model.${parts[i]!.modality}_layer_norm`),
    )
  })
}

/** Unit vectors (B, D) from the CLS position of `hidden` (B, T, D): the retrieval embedding. */
export function projection(g: GraphBuilder, hidden: Value, modality: Modality): Value {
  const cls = g.op('Gather', [hidden, g.int64([0], [])], { axis: 1 }) // (B, D)
  const projected = linear(g, cls, `${modality}_proj`) // (B, D)
  const norm = g.op('ReduceL2', [projected, g.int64([-1])], { keepdims: 1 }) // (B, 1)
  return g.op('Div', [projected, g.op('Max', [norm, g.scalar(NORM_EPSILON)])])
}
