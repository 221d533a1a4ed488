import { describe, expect, it } from 'vitest'
import { hadamard, rotateBlocks } from '../../../src/onnx/hadamard.ts'

const SIZE = 8

describe('rotating blocks of values', () => {
  it('is the product of each block with the Hadamard matrix', () => {
    const values = Float32Array.from({ length: 3 * SIZE }, (_, i) => Math.sin(i))
    const matrix = hadamard(SIZE)
    const wanted = values.map((_, i) => {
      const [block, column] = [values.subarray(i - (i % SIZE), i - (i % SIZE) + SIZE), i % SIZE]
      return block.reduce((sum, value, row) => sum + value * matrix[row * SIZE + column]!, 0)
    })
    rotateBlocks(values, SIZE)
    for (const [i, value] of values.entries()) expect(value).toBeCloseTo(wanted[i]!, 5)
  })

  it('twice gives what was there', () => {
    const given = Float32Array.from({ length: 2 * SIZE }, (_, i) => Math.cos(i))
    const values = given.slice()
    rotateBlocks(values, SIZE)
    rotateBlocks(values, SIZE)
    for (const [i, value] of values.entries()) expect(value).toBeCloseTo(given[i]!, 6)
  })

  it('spreads one large value evenly', () => {
    const values = new Float32Array(SIZE)
    values[5] = 100
    rotateBlocks(values, SIZE)
    for (const value of values) expect(Math.abs(value)).toBeCloseTo(100 / Math.sqrt(SIZE), 4)
  })
})
