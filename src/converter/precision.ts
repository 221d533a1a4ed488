/**
 * Which tensors a precision stores how. What stays in higher precision was decided by measuring: docs/precision.md.
 *
 *   fp32        everything in float32
 *   fp16        everything in halves, widened once at load
 *   int8        matrices in int8, a scale an output channel; activations 8 bits, a scale a row, rotated where a few are large
 *   int8-block  matrices in blocks of 8 bits; activations likewise
 *   int4        the same, with 4 bits in the feed-forward networks
 */
import type { Precision } from '../bundle/manifest.ts'
import type { TensorPlan } from '../model/tensor-plan.ts'

/** `rows` and `blocks`, those of `onnx/quantise.ts`, are of matrices alone. */
export type StoredAs =
  | { kind: 'floats' }
  | { kind: 'halves' }
  | { kind: 'rows'; rotation?: number }
  | { kind: 'blocks'; bits: 4 | 8; size: number }

/** Values that share a scale: the larger, the faster; the smaller, the closer. */
const BLOCK_SIZE = { 8: 128, 4: 32 } as const

/** Values that are rotated together: 16 take off four fifths of the error, 32 hardly more. */
const ROTATION = 16

const FLOATS: StoredAs = { kind: 'floats' }
const HALVES: StoredAs = { kind: 'halves' }
const ROWS: StoredAs = { kind: 'rows' }
const ROTATED: StoredAs = { kind: 'rows', rotation: ROTATION }

export function storedAs(plan: TensorPlan, precision: Precision): StoredAs {
  if (precision === 'fp32') return FLOATS
  if (precision === 'fp16' || plan.role === 'table') return HALVES
  if (plan.role !== 'matrix' || staysFloat(plan)) return FLOATS
  if (precision === 'int8') return isRotated(plan) ? ROTATED : ROWS
  const bits = precision === 'int4' && !staysIn8Bits(plan) ? 4 : 8
  return { kind: 'blocks', bits, size: BLOCK_SIZE[bits] }
}

/** The last matrix of a feed-forward network: products of two halves go in, a few of them many times as large as the others. */
const isRotated = ({ name, storedShape }: TensorPlan): boolean =>
  /_ffn\.3\.weight$/.test(name) && storedShape[1]! % ROTATION === 0

/** Attention, which all branches share, has a tenth of the full-size model's weights and does most of the harm in 4 bits. */
const staysIn8Bits = ({ name }: TensorPlan): boolean => !/_ffn\./.test(name)

/**
 * A matrix too narrow for 8-bit arithmetic to pay, such as the first convolution of sounds, which reads raw samples; and the last one of
 * all, which multiplies a single row an item, so that it takes no time, and whose error nothing after it evens out.
 */
const staysFloat = ({ name, storedShape }: TensorPlan): boolean =>
  storedShape[1]! < LEAST_COLUMNS || /^(text|image|audio)_proj\./.test(name)
const LEAST_COLUMNS = 16
