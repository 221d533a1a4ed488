/** How far apart two arrays are. */
import type { TensorData } from '../encoder/onnx-session.ts'
import { GoldensError } from './goldens.ts'
import type { NpyArray } from './npy.ts'

/** A component may differ by `absolute + relative · |expected|`, as numpy's `allclose` has it. */
export interface Tolerance {
  absolute: number
  relative: number
}

export interface Comparison {
  /** Largest |difference|; infinite where a value is not a number. */
  maxDifference: number
  /** Whether every component is within the tolerance. */
  passed: boolean
}

/** @throws GoldensError if the shapes differ; `name` says of what */
export function compare(actual: TensorData, expected: NpyArray, tolerance: Tolerance, name: string): Comparison {
  if (`${actual.dims}` !== `${expected.shape}`) {
    throw new GoldensError(`${name}: the bundle gives shape [${actual.dims}], the golden has [${expected.shape}].`)
  }
  const [a, b] = [actual.data, expected.data]
  const result: Comparison = { maxDifference: 0, passed: true }
  for (let i = 0; i < b.length; i++) {
    const difference = Math.abs(Number(a[i]) - Number(b[i]))
    // Not Math.max alone: it would hide a NaN, which must count as the largest difference.
    if (Number.isNaN(difference)) return { maxDifference: Number.POSITIVE_INFINITY, passed: false }
    result.maxDifference = Math.max(result.maxDifference, difference)
    result.passed &&= difference <= tolerance.absolute + tolerance.relative * Math.abs(Number(b[i]))
  }
  return result
}

/** Least cosine between two arrays' rows along their last axis. */
export function leastCosine(actual: TensorData, expected: NpyArray): number {
  const [a, b] = [actual.data as Float32Array, expected.data as Float32Array]
  const width = expected.shape.at(-1)!
  let least = 1
  for (let row = 0; row < a.length; row += width) {
    const [x, y] = [a.subarray(row, row + width), b.subarray(row, row + width)]
    least = Math.min(least, dot(x, y) / Math.sqrt(dot(x, x) * dot(y, y)))
  }
  return least
}

function dot(x: Float32Array, y: Float32Array): number {
  let sum = 0
  for (let i = 0; i < x.length; i++) sum += x[i]! * y[i]!
  return sum
}
