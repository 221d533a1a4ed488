/**
 * Matrices in few bits, symmetric about zero, each value rounded to the nearest step.
 *
 *   rows     int8 (N, K), one scale a row: value = q · scale, q in -127…127. Stored turned, (K, N), as MatMul takes it
 *   blocks   4 or 8 bits, one scale for `size` consecutive values of a row: value = (q - 2^(bits-1)) · scale; the last block
 *            of a row is filled up with zeros. Layout of onnxruntime's MatMulNBits: uint8 (N, blocks, size · bits / 8), of
 *            two 4-bit values the first in the low half
 */
import type { BlockFormat } from './external-data.ts'

const STEPS = 127

/** Under which name the scales of a quantised tensor are stored beside it. */
export const scaleName = (name: string): string => `${name}_scale`

export interface QuantisedRows {
  values: Int8Array
  /** (N) */
  scales: Float32Array
}

/** `rows` (N, K) row-major → int8 in the same order. A row of zeros has scale 0. */
export function quantiseRows(rows: Float32Array, count: number): QuantisedRows {
  const width = rows.length / count
  const values = new Int8Array(rows.length)
  const scales = new Float32Array(count)
  for (let row = 0, start = 0; row < count; row++, start += width) {
    const largest = largestMagnitude(rows, start, start + width)
    scales[row] = largest / STEPS
    const inverse = largest === 0 ? 0 : STEPS / largest
    for (let i = start; i < start + width; i++) values[i] = nearest(rows[i]! * inverse)
  }
  return { values, scales }
}

export interface QuantisedBlocks {
  /** (N, ceil(K / size), size · bits / 8) */
  values: Uint8Array
  /** (N · ceil(K / size)) */
  scales: Float32Array
}

/** `rows` (N, K) row-major → blocks along K. */
export function quantiseBlocks(rows: Float32Array, { bits, size, columns }: BlockFormat): QuantisedBlocks {
  const count = rows.length / columns
  const perRow = Math.ceil(columns / size)
  const blockBytes = (size * bits) / 8
  const zero = 2 ** (bits - 1)
  const values = new Uint8Array(count * perRow * blockBytes).fill(bits === 4 ? 0x88 : zero)
  const scales = new Float32Array(count * perRow)
  for (let block = 0; block < scales.length; block++) {
    const row = Math.floor(block / perRow)
    const start = row * columns + (block % perRow) * size
    const end = Math.min(start + size, (row + 1) * columns)
    const scale = bits === 8 ? widestScale(rows, start, end, zero) : closestScale(rows, start, end, zero)
    scales[block] = scale
    writeBlock(values, block * blockBytes, rows, start, end, scale === 0 ? 0 : 1 / scale, bits)
  }
  return { values, scales }
}

/** The farthest value from zero gets the one step more that the negative side has: -zero. */
const widestScale = (rows: Float32Array, start: number, end: number, zero: number): number =>
  -farthestValue(rows, start, end) / zero

/** Shares of the widest scale to try: in few bits it pays to cut the farthest value off and be closer to the others. */
const SHARES = [1, 0.93, 0.86, 0.79]

/** Of these the scale with the least squared error. */
function closestScale(rows: Float32Array, start: number, end: number, zero: number): number {
  const widest = widestScale(rows, start, end, zero)
  let [best, least] = [widest, Number.POSITIVE_INFINITY]
  for (const share of widest === 0 ? [] : SHARES) {
    const scale = share * widest
    const inverse = 1 / scale
    let error = 0
    for (let i = start; i < end; i++) {
      const q = Math.max(-zero, Math.min(zero - 1, nearest(rows[i]! * inverse)))
      error += (q * scale - rows[i]!) ** 2
    }
    if (error < least) [best, least] = [scale, error]
  }
  return best
}

function writeBlock(
  values: Uint8Array,
  at: number,
  rows: Float32Array,
  start: number,
  end: number,
  inverse: number,
  bits: 4 | 8,
): void {
  const zero = 2 ** (bits - 1)
  const most = 2 * zero - 1
  for (let i = start; i < end; i++) {
    const q = Math.max(0, Math.min(most, nearest(rows[i]! * inverse) + zero))
    if (bits === 8) values[at + i - start] = q
    else {
      const byte = at + ((i - start) >> 1)
      values[byte] = (i - start) % 2 === 0 ? (values[byte]! & 0xf0) | q : (values[byte]! & 0x0f) | (q << 4)
    }
  }
}

/** To the nearest whole number, halves away from minus infinity; `Math.round` costs more. */
const nearest = (value: number): number => Math.floor(value + 0.5)

function largestMagnitude(values: Float32Array, start: number, end: number): number {
  let largest = 0
  for (let i = start; i < end; i++) {
    const magnitude = Math.abs(values[i]!)
    if (magnitude > largest) largest = magnitude
  }
  return largest
}

function farthestValue(values: Float32Array, start: number, end: number): number {
  let [low, high] = [0, 0]
  for (let i = start; i < end; i++) {
    const value = values[i]!
    if (value > high) high = value
    else if (value < low) low = value
  }
  return high > -low ? high : low
}

const TILE = 64

/** (rows, columns) row-major → (columns, rows), tile by tile, so that neither side leaves the processor's cache. */
export function transpose<T extends Float32Array | Int8Array>(values: T, rows: number, columns: number): T {
  const out = new (values.constructor as new (length: number) => T)(values.length)
  for (let top = 0; top < rows; top += TILE) {
    const bottom = Math.min(top + TILE, rows)
    for (let left = 0; left < columns; left += TILE) {
      const right = Math.min(left + TILE, columns)
      for (let column = left; column < right; column++) {
        for (let row = top, to = column * rows + top; row < bottom; row++, to++)
          out[to] = values[row * columns + column]!
      }
    }
  }
  return out
}
