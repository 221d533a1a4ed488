/** A tensor's values as a bundle stores them. Knows no file and no thread, so that it may run in any. */
import type { TensorRole } from '../model/tensor-plan.ts'
import type { ExternalTensor } from '../onnx/external-data.ts'
import { rotateBlocks } from '../onnx/hadamard.ts'
import { toHalf } from '../onnx/half.ts'
import { quantiseBlocks, quantiseRows, transpose } from '../onnx/quantise.ts'
import type { StoredAs } from './precision.ts'

export interface EncodeTask {
  role: TensorRole
  /** Shape of `values`; (N, K) of a matrix. */
  shape: readonly number[]
  as: StoredAs
  values: Float32Array
}

/** A tensor ready to be written, and its scales where it has some. */
export interface Encoded {
  tensor: Omit<ExternalTensor, 'location'>
  data: Float32Array | Uint16Array | Int8Array | Uint8Array
  scales?: Float32Array
}

/** May change `values`. @throws RangeError where a value has no half */
export function encode({ role, shape, as, values }: EncodeTask): Encoded {
  const [rows, columns] = shape as [number, number]
  const dims = role === 'matrix' ? [columns, rows] : shape
  const turned = () => (role === 'matrix' ? transpose(values, rows, columns) : values)
  if (as.kind === 'floats') return { tensor: { dtype: 'float32', dims }, data: turned() }
  if (as.kind === 'halves') return { tensor: { dtype: 'float16', dims }, data: toHalf(turned()) }
  if (as.kind === 'rows') {
    const { rotation } = as
    if (rotation) rotateBlocks(values, rotation)
    const { values: steps, scales } = quantiseRows(values, rows)
    const tensor = { dtype: 'int8', dims, ...(rotation && { rotation }) } as const
    return { tensor, data: transpose(steps, rows, columns), scales }
  }
  const { bits, size } = as
  const blocks = { bits, size, columns }
  const { values: data, scales } = quantiseBlocks(values, blocks)
  const perRow = Math.ceil(columns / size)
  return { tensor: { dtype: 'uint8', dims: [rows, perRow, (size * bits) / 8], blocks }, data, scales }
}
