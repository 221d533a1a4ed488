/**
 * Products with a stored matrix, in the precision that it is stored in (`tensor-plan.ts`, docs/precision.md). The rest of the
 * model does not know: in and out are float32.
 *
 *   float32, float16   x · W
 *   int8               rows of x to 8 bits, each with its own scale ─ MatMulInteger ─ · scale of the row · scale of the column
 *   blocks             MatMulNBits: blocks of each row of x to 8 bits, with a scale each, inside the operator
 *
 * Each row of activations has a scale of its own, so that a row's result depends on that row alone: an item's embedding must
 * not change with the company it has in a batch. (onnxruntime's DynamicQuantizeMatMul has one scale for the whole tensor.)
 */
import type { GraphBuilder, Value } from '../onnx/graph-builder.ts'
import { NO_INPUT } from '../onnx/graph-builder.ts'
import { DATA_TYPE } from '../onnx/proto.ts'
import { scaleName } from '../onnx/quantise.ts'

/** A tensor in 8 bits: uint8 `values` stand for (values - zero) · scale; `scale` is float32 of the same rank, 1 where it is shared. */
export interface Quantised {
  values: Value
  scale: Value
  zero: number
}

/** What a tensor's values can be: on both sides of zero alike, or what a GELU gives. */
export type Range = 'symmetric' | 'gelu'

/** 127 steps each way from 128; of a GELU, which never falls below -0.17, 32 steps down and 223 up. */
const ZERO = { symmetric: 128, gelu: 32 } as const
const STEPS = { symmetric: 127, gelu: 223 } as const
/** Below the first a row is as good as zero, and its scale must not be; with the second, -0.17 is still within reach. */
const LEAST_SCALE = { symmetric: 1e-30, gelu: 0.17 / ZERO.gelu } as const
/** MatMulNBits: activations in 8-bit blocks rather than weights widened to float32. */
const INT8_ARITHMETIC = 4

/** `x` (…, K) times the stored matrix `name` (K, N) → (…, N). */
export function product(g: GraphBuilder, x: Value, name: string): Value {
  const { dtype, blocks } = g.stored(name)
  if (blocks) return blockProduct(g, x, name)
  if (dtype !== 'int8') return g.op('MatMul', [x, g.weight(name)])
  return quantisedProduct(
    g,
    g.once(`rows of ${x}`, () => quantise(g, x, [-1], 'symmetric')),
    name,
  )
}

/** As `product`, of activations that are in 8 bits already; `name` must be stored as int8. */
export function quantisedProduct(g: GraphBuilder, { values, scale, zero }: Quantised, name: string): Value {
  const columns = g.weight(scaleName(name)) // (N)
  const y = g.contrib('MatMulIntegerToFloat', [values, g.storedWeight(name), g.scalar(1), columns, g.byte(zero)])
  return g.op('Mul', [y, scale])
}

/** `x` in 8 bits with one scale for all that lies along `axes`: [-1] is a row, [1, 2] of (B, T, D) an item. */
export function quantise(g: GraphBuilder, x: Value, axes: readonly number[], range: Range): Quantised {
  return g.scope('quantise', () => {
    const reach = range === 'gelu' ? x : g.op('Abs', [x])
    const largest = g.op('ReduceMax', [reach, g.int64(axes)], { keepdims: 1 })
    const scale = g.op('Max', [g.op('Mul', [largest, g.scalar(1 / STEPS[range])]), g.scalar(LEAST_SCALE[range])])
    const values = g.op('QuantizeLinear', [g.op('Div', [x, scale]), g.scalar(1), g.byte(ZERO[range])])
    return { values, scale, zero: ZERO[range] }
  })
}

function blockProduct(g: GraphBuilder, x: Value, name: string): Value {
  const { dims, blocks } = g.stored(name)
  const { bits, size, columns } = blocks!
  return g.contrib('MatMulNBits', [x, g.storedWeight(name), g.weight(scaleName(name)), NO_INPUT, NO_INPUT, NO_INPUT], {
    K: columns,
    N: dims[0]!,
    bits,
    block_size: size,
    accuracy_level: INT8_ARITHMETIC,
  })
}

/** Rows of the stored table `name` (V, D) at `ids` int64 (…) → float32 (…, D); only what is looked up is widened. */
export function tableRows(g: GraphBuilder, name: string, ids: Value): Value {
  const rows = g.op('Gather', [g.storedWeight(name), ids], { axis: 0 })
  const { dtype } = g.stored(name)
  if (dtype === 'float32') return rows
  const widened = g.op('Cast', [rows], { to: DATA_TYPE.float32 })
  if (dtype === 'float16') return widened
  return g.op('Mul', [widened, g.op('Gather', [g.weight(scaleName(name)), ids], { axis: 0 })]) // scales (V, 1)
}
