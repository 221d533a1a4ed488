/**
 * Multi-head self-attention with a sub-LayerNorm before the output projection (Magneto), shared by all modalities.
 * Source: one_peace/models/components/multihead_attention.py:68-126.
 *
 *   x ─┬─ q_proj · d^-½ ─┐
 *      ├─ k_proj ────────┴─ QKᵀ + bias ─ Softmax ─┐
 *      └─ v_proj ─────────────────────────────────┴─ · ─ join heads ─ ln ─ out_proj
 */
import type { GraphBuilder, Value } from '../onnx/graph-builder.ts'
import type { ModelConfig } from './config.ts'
import { layerNorm, linear } from './operations.ts'

/** (B, T, D) → (B, T, D); `bias` (1 or B, H, T, T) is added to the scores, -inf where a key is padding. */
export function selfAttention(g: GraphBuilder, x: Value, path: string, config: ModelConfig, bias: Value): Value {
  const { embedDim: D, attentionHeads: H } = config
  const headDim = D / H
  const split = (value: Value) => g.op('Reshape', [value, g.int64([0, 0, H, headDim])]) // (B, T, H, d)
  return g.scope('self_attn', () => {
    const scaledQuery = g.op('Mul', [linear(g, x, `${path}.q_proj`), g.scalar(headDim ** -0.5)]) // scaled after the bias
    const query = g.op('Transpose', [split(scaledQuery)], { perm: [0, 2, 1, 3] }) // (B, H, T, d)
    const key = g.op('Transpose', [split(linear(g, x, `${path}.k_proj`, { bias: false }))], { perm: [0, 2, 3, 1] })
    const value = g.op('Transpose', [split(linear(g, x, `${path}.v_proj`))], { perm: [0, 2, 1, 3] }) // (B, H, T, d)
    const scores = g.op('Add', [g.op('MatMul', [query, key]), bias]) // (B, H, T, T)
    const attended = g.op('MatMul', [g.op('Softmax', [scores], { axis: -1 }), value]) // (B, H, T, d)
    const heads = g.op('Transpose', [attended], { perm: [0, 2, 1, 3] }) // (B, T, H, d)
    const joined = g.op('Reshape', [heads, g.int64([0, 0, D])]) // (B, T, D)
    return linear(g, layerNorm(g, joined, `${path}.ln`), `${path}.out_proj`)
  })
}
