/** The few operations that every part of the model shares: Linear, LayerNorm, GELU, reshaping. Shapes: (…, D). */
import type { GraphBuilder, Value } from '../onnx/graph-builder.ts'
import { product } from './product.ts'

/** torch's default, used everywhere in the reference. */
const LAYER_NORM_EPSILON = 1e-5

/** x · Wᵀ (+ b), in the precision that W is stored in. Node names end in the last part of `path`. */
export function linear(g: GraphBuilder, x: Value, path: string, options: { bias: boolean } = { bias: true }): Value {
  return g.scope(path.split('.').at(-1)!, () => {
    const y = product(g, x, `${path}.weight`)
    return options.bias ? g.op('Add', [y, g.weight(`${path}.bias`)]) : y
  })
}

/** LayerNorm over the last axis. */
export function layerNorm(g: GraphBuilder, x: Value, path: string): Value {
  return g.scope(path.split('.').at(-1)!, () => normalise(g, x, g.weight(`${path}.weight`), g.weight(`${path}.bias`)))
}

/** LayerNorm over the channels of each pixel, (B, C, h, w). */
export function channelNorm(g: GraphBuilder, x: Value, path: string): Value {
  const last = g.op('Transpose', [x], { perm: [0, 2, 3, 1] }) // (B, h, w, C)
  return g.op('Transpose', [layerNorm(g, last, path)], { perm: [0, 3, 1, 2] })
}

/** LayerNorm over the last axis of width `dim`, without learned scale and shift. */
export function plainLayerNorm(g: GraphBuilder, x: Value, dim: number): Value {
  return normalise(g, x, g.float32(Array<number>(dim).fill(1)), g.float32(Array<number>(dim).fill(0)))
}

function normalise(g: GraphBuilder, x: Value, scale: Value, shift: Value): Value {
  return g.op('LayerNormalization', [x, scale, shift], { axis: -1, epsilon: { float: LAYER_NORM_EPSILON } })
}

/** The exact, erf form: the tanh form is 1e-4 off in the final embedding. */
export function gelu(g: GraphBuilder, x: Value): Value {
  return g.op('Gelu', [x], { approximate: 'none' })
}

/** Size of one axis of `x` as int64 (1). */
export function sizeOf(g: GraphBuilder, x: Value, axis: number): Value {
  return g.op('Shape', [x], { start: axis, end: axis + 1 })
}

/** The learned `cls` (1, 1, D) in front of every sequence of `x` (B, T, D) → (B, T+1, D). */
export function prependCls(g: GraphBuilder, cls: Value, x: Value, embedDim: number): Value {
  const shape = g.op('Concat', [sizeOf(g, x, 0), g.int64([1, embedDim])], { axis: 0 })
  return g.op('Concat', [g.op('Expand', [cls, shape]), x], { axis: 1 })
}

/** `x` (B, T, D) marked with its modality's `type_embedding`, where the checkpoint has one. */
export function withType(g: GraphBuilder, x: Value, adapter: string, config: { typeEmbedding: boolean }): Value {
  return config.typeEmbedding ? g.op('Add', [x, g.weight(`${adapter}.type_embedding`)]) : x
}
