/**
 * The feed-forward network of one modality: a GELU-gated linear unit with a LayerNorm before the output.
 * Source: one_peace/models/components (GeGLU), transformer_layer.py.
 *
 *   y ─┬─ wi_0 ─ GELU ─┐
 *      └─ wi_1 ────────┴─ ⊙ ─ LayerNorm(F) ─ Linear(F → D)
 */
import type { GraphBuilder, Value } from '../onnx/graph-builder.ts'
import { gelu, layerNorm, linear } from './operations.ts'

/** (B, T, D) → (B, T, D) */
export function geglu(g: GraphBuilder, y: Value, path: string): Value {
  return g.scope(path.split('.').at(-1)!, () => {
    const gate = gelu(g, linear(g, y, `${path}.0.wi_0`, { bias: false })) // (B, T, F)
    const gated = g.op('Mul', [gate, linear(g, y, `${path}.0.wi_1`, { bias: false })]) // (B, T, F)
    return linear(g, layerNorm(g, gated, `${path}.2`), `${path}.3`)
  })
}
