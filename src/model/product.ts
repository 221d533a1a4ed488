/**
 * Products with a stored matrix, in the precision that it is stored in (`tensor-plan.ts`, docs/precision.md). The rest of the
 * model does not know: in and out are float32.
 *
 *   float32, float16   x · W
 *   int8               rows of x to 8 bits, each with its own scale ─ MatMulInteger ─ · scale of the row · scale of the column
 *   int8, rotated      the same, after blocks of each row · Hadamard matrix, as the weights were (`onnx/hadamard.ts`)
 *   blocks             MatMulNBits: blocks of each row of x to 8 bits, with a scale each, inside the operator
 *
 * Each row of activations has a scale of its own, so that a row's result depends on that row alone: an item's embedding must
 * not change with the company it has in a batch. (onnxruntime's DynamicQuantizeMatMul has one scale for the whole tensor.)
 */
import type { GraphBuilder, Value } from '../onnx/graph-builder.ts'
import { NO_INPUT } from '../onnx/graph-builder.ts'
import { hadamard } from '../onnx/hadamard.ts'
import { DATA_TYPE } from '../onnx/proto.ts'
import { scaleName } from '../onnx/quantise.ts'

/** A tensor in 8 bits: uint8 `values` (…, K) stand for (values - 128) / 127 · largest; `largest` is float32 (…, 1). */
interface QuantisedRows {
  values: Value
  largest: Value
}

/** Activations are symmetric about 128, in 127 steps each way. */
const ZERO = 128
const STEP = 1 / 127
/** MatMulNBits: activations in 8-bit blocks rather than weights widened to float32. */
const INT8_ARITHMETIC = 4

/** `x` (…, K) times the stored matrix `name` (K, N) → (…, N). */
export function product(g: GraphBuilder, x: Value, name: string): Value {
  const { dtype, dims, blocks, rotation } = g.stored(name)
  if (blocks) return blockProduct(g, x, name)
  if (dtype !== 'int8') return g.op('MatMul', [x, g.weight(name)])
  const rows = rotation ? rotate(g, x, rotation, dims[0]!) : x
  const { values, largest } = g.once(`rows of ${rows}`, () => quantiseRows(g, rows))
  const columns = g.weight(scaleName(name)) // (N)
  const y = g.contrib('MatMulIntegerToFloat', [values, g.storedWeight(name), g.scalar(STEP), columns, g.byte(ZERO)])
  return g.op('Mul', [y, largest])
}

/** A row of zeros is divided by zero and becomes whatever; the product is multiplied by its largest value, zero, at the end. */
function quantiseRows(g: GraphBuilder, x: Value): QuantisedRows {
  return g.scope('quantise', () => {
    const largest = g.op('ReduceMax', [g.op('Abs', [x]), g.int64([-1])], { keepdims: 1 })
    return { values: g.op('QuantizeLinear', [g.op('Div', [x, largest]), g.scalar(STEP), g.byte(ZERO)]), largest }
  })
}

/** (B, T, `width`) → the same, each `size` values of a row rotated. */
function rotate(g: GraphBuilder, x: Value, size: number, width: number): Value {
  return g.scope('rotate', () => {
    const blocks = g.op('Reshape', [x, g.int64([0, 0, width / size, size])])
    const rotated = g.op('MatMul', [blocks, g.float32(hadamard(size), [size, size])])
    return g.op('Reshape', [rotated, g.int64([0, 0, width])])
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

/** Rows of the stored table `name` (V, D), floats or halves, at `ids` int64 (…) → float32 (…, D); only what is looked up is widened. */
export function tableRows(g: GraphBuilder, name: string, ids: Value): Value {
  const rows = g.op('Gather', [g.storedWeight(name), ids], { axis: 0 })
  return g.stored(name).dtype === 'float32' ? rows : g.op('Cast', [rows], { to: DATA_TYPE.float32 })
}
