/**
 * The classification head: attention pooling with one learned query a head, then a classifier of two layers. Source:
 * MultiheadAttentionPooling and OnePeaceClassifyHead in one_peace_base.py:132-235.
 *
 *   tokens without CLS ─┬─ k_proj ─ · q (unscaled) ─ Softmax ─┐
 *                       └─ v_proj ────────────────────────────┴─ · ─ join heads ─ out_proj ─ norm ─ [pooler ─ tanh]
 *   one pooling, or two side by side ─ Linear ─ LayerNorm ─ GELU ─ Linear ─ logits
 */
import type { GraphBuilder, Value } from '../onnx/graph-builder.ts'
import type { ModelConfig } from './config.ts'
import type { ClassifyHead } from './head-config.ts'
import { gelu, layerNorm, linear } from './operations.ts'

/** Token features of one forward: float32 (B, T, D) with CLS, and bool (B, T), true = padding, if there can be any. */
export interface Pass {
  hidden: Value
  padding?: Value
}

const HEAD = 'classify_head'

/** One pass, or two for a pair of pictures → logits (B, N). */
export function classifyHead(g: GraphBuilder, passes: readonly Pass[], config: ModelConfig, head: ClassifyHead): Value {
  return g.scope(HEAD, () => {
    const pooled = passes.map((pass) => pool(g, pass, config, head)) // (B, D)
    const features = pooled.length === 1 ? pooled[0]! : g.op('Concat', pooled, { axis: 1 }) // (B, D or 2D)
    const inner = linear(g, features, `${HEAD}.classifier.0`) // (B, h)
    return linear(g, gelu(g, layerNorm(g, inner, `${HEAD}.classifier.1`)), `${HEAD}.classifier.3`)
  })
}

/** (B, T, D) → (B, D). Without attention pooling it is the CLS position, which no norm follows. */
function pool(g: GraphBuilder, pass: Pass, config: ModelConfig, head: ClassifyHead): Value {
  const pooled = head.attnPooling
    ? layerNorm(g, attentionPooling(g, pass, config), `${HEAD}.norm`)
    : g.op('Gather', [pass.hidden, g.int64([0], [])], { axis: 1 })
  return head.pooler ? g.op('Tanh', [linear(g, pooled, `${HEAD}.pooler.1`)]) : pooled
}

function attentionPooling(g: GraphBuilder, { hidden, padding }: Pass, config: ModelConfig): Value {
  const { embedDim: D, attentionHeads: H } = config
  const path = `${HEAD}.attn_pooling_func`
  const split = (value: Value) => g.op('Reshape', [value, g.int64([0, 0, H, D / H])]) // (B, T, H, d)
  return g.scope('attn_pooling_func', () => {
    const tokens = withoutCls(g, hidden) // (B, T, D)
    const query = g.op('Transpose', [g.weight(`${path}.q`)], { perm: [0, 2, 1, 3] }) // (1, H, 1, d)
    const key = g.op('Transpose', [split(linear(g, tokens, `${path}.k_proj`, { bias: false }))], { perm: [0, 2, 3, 1] })
    const value = g.op('Transpose', [split(linear(g, tokens, `${path}.v_proj`))], { perm: [0, 2, 1, 3] }) // (B, H, T, d)
    let scores = g.op('MatMul', [query, key]) // (B, H, 1, T)
    if (padding) {
      const padded = g.op('Unsqueeze', [withoutCls(g, padding), g.int64([1, 2])]) // (B, 1, 1, T)
      scores = g.op('Where', [padded, g.scalar(Number.NEGATIVE_INFINITY), scores])
    }
    const attended = g.op('MatMul', [g.op('Softmax', [scores], { axis: -1 }), value]) // (B, H, 1, d)
    const joined = g.op('Reshape', [attended, g.int64([0, D])]) // (B, D), heads one after another
    return linear(g, joined, `${path}.out_proj`)
  })
}

/** (B, T, …) → (B, T-1, …) */
const withoutCls = (g: GraphBuilder, x: Value): Value =>
  g.op('Slice', [x, g.int64([1]), g.int64([Number.MAX_SAFE_INTEGER]), g.int64([1])])
