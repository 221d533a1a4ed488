/**
 * One transformer layer: attention shared by the modalities, then each modality's own feed-forward network; both residual
 * and scaled by a learned vector (layer scale). Source: transformer_layer.py:165-228.
 */
import type { GraphBuilder, Value } from '../onnx/graph-builder.ts'
import { selfAttention } from './attention.ts'
import type { ModelConfig } from './config.ts'
import { layerNorm } from './operations.ts'

/** (B, T, D) → (B, T, D): each token through its modality's network, whose tensors lie under `path` of the layer. */
export type FeedForward = (y: Value, path: string) => Value

/** (B, T, D) → (B, T, D) */
export function transformerLayer(
  g: GraphBuilder,
  x: Value,
  layer: number,
  config: ModelConfig,
  bias: Value,
  feedForward: FeedForward,
): Value {
  const path = `encoder_wrapper.fusion_model.layers.${layer}`
  const residual = (input: Value, branch: Value, gamma: string) =>
    g.op('Add', [input, g.op('Mul', [branch, g.weight(`${path}.${gamma}`)])])
  return g.scope(`layers.${layer}`, () => {
    const attended = selfAttention(
      g,
      layerNorm(g, x, `${path}.self_attn_layer_norm`),
      `${path}.self_attn`,
      config,
      bias,
    )
    const h = residual(x, attended, 'gamma_1')
    return residual(h, feedForward(layerNorm(g, h, `${path}.final_layer_norm`), path), 'gamma_2')
  })
}
