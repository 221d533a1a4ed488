import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { quantiseBlocks, quantiseRows, transpose } from '../../../src/onnx/quantise.ts'

const values = (length: number) =>
  fc
    .array(fc.integer({ min: -1e6, max: 1e6 }), { minLength: length, maxLength: length })
    .map((given) => Float32Array.from(given, (value) => value / 1000))

/** An independent reading of MatMulNBits' layout. */
function fromBlocks(bytes: Uint8Array, scales: Float32Array, rows: number, columns: number, bits: 4 | 8, size: number) {
  const perRow = Math.ceil(columns / size)
  return Float32Array.from({ length: rows * columns }, (_, i) => {
    const [row, column] = [Math.floor(i / columns), i % columns]
    const block = row * perRow + Math.floor(column / size)
    const at = block * size + (column % size)
    const q = bits === 8 ? bytes[at]! : (bytes[at >> 1]! >> (at % 2 ? 4 : 0)) & 15
    return (q - 2 ** (bits - 1)) * scales[block]!
  })
}

describe('rows in 8 bits', () => {
  it('are at most half a step of their own row away from what they were', () => {
    fc.assert(
      fc.property(values(12), (given) => {
        const { values: q, scales } = quantiseRows(given, 3)
        for (const [i, value] of given.entries()) {
          const scale = scales[Math.floor(i / 4)]!
          expect(Math.abs(q[i]! * scale - value)).toBeLessThanOrEqual(scale * 0.5001)
        }
      }),
    )
  })

  it('keep their largest value and zero exactly', () => {
    const { values: q, scales } = quantiseRows(Float32Array.of(1, -4, 0, 2, 0, 0, 0, 0), 2)
    expect([...q]).toEqual([32, -127, 0, 64, 0, 0, 0, 0])
    expect(q[1]! * scales[0]!).toBeCloseTo(-4)
    expect(scales[1]).toBe(0)
  })
})

describe('blocks', () => {
  const inBlocks = (given: Float32Array, bits: 4 | 8) => {
    const { values: bytes, scales } = quantiseBlocks(given, { bits, size: 16, columns: 20 })
    const read = fromBlocks(bytes, scales, 2, 20, bits, 16)
    return Array.from(scales, (scale, block) => {
      const isOf = (i: number) => Math.floor(i / 20) * 2 + Math.floor((i % 20) / 16) === block
      return { scale, was: given.filter((_, i) => isOf(i)), is: read.filter((_, i) => isOf(i)) }
    })
  }
  const squared = (errors: readonly number[]) => errors.reduce((sum, error) => sum + error * error, 0)

  it.each([4, 8] as const)('of %i bits are as near to what they were as their own block lets them be', (bits) => {
    fc.assert(
      fc.property(values(2 * 20), (given) => {
        for (const { scale, was, is } of inBlocks(given, bits)) {
          const ends = [-(2 ** (bits - 1)) * scale, (2 ** (bits - 1) - 1) * scale].sort((a, b) => a - b)
          for (const [i, value] of was.entries()) {
            const within = Math.max(ends[0]!, Math.min(ends[1]!, value))
            expect(Math.abs(is[i]! - within)).toBeLessThanOrEqual(Math.abs(scale) * 0.5001)
          }
        }
      }),
    )
  })

  it('of 4 bits cut the farthest value off only where the block as a whole is nearer for it', () => {
    fc.assert(
      fc.property(values(2 * 20), (given) => {
        for (const { was, is } of inBlocks(given, 4)) {
          const [low, high] = [Math.min(...was), Math.max(...was)]
          const step = -(high > -low ? high : low) / 8
          const whole = Array.from(was, (value) => Math.max(-8, Math.min(7, Math.round(value / (step || 1)))) * step)
          const error = (of: ArrayLike<number>) => Math.sqrt(squared(Array.from(was, (value, i) => of[i]! - value)))
          const rounding = Math.max(high, -low) * 2 ** -20 // scales and values are float32, what is chosen by is not
          expect(error(is)).toBeLessThanOrEqual(error(whole) + rounding)
        }
      }),
    )
  })

  it('are filled up with zeros where a row ends within one', () => {
    const { values: bytes, scales } = quantiseBlocks(Float32Array.of(8, 1, 2), { bits: 4, size: 16, columns: 3 })
    expect(bytes).toHaveLength(8)
    expect([...bytes.slice(2)]).toEqual([0x88, 0x88, 0x88, 0x88, 0x88, 0x88])
    expect([...fromBlocks(bytes, scales, 1, 3, 4, 16)]).toEqual([8, 1, 2])
  })
})

it('a matrix turned twice is itself, whatever its sides', () => {
  const given = Float32Array.from({ length: 70 * 131 }, (_, i) => i)
  const turned = transpose(given, 70, 131)
  expect(turned[1 * 70 + 3]).toBe(given[3 * 131 + 1])
  expect(transpose(turned, 131, 70)).toEqual(given)
})
