import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readNpy } from '../../src/eval/npy.ts'
import { enlargeRelPosTable, resizePosEmbed } from '../../src/model/interpolation.ts'
import { imageBuckets, tokenBuckets } from '../../src/model/positions.ts'
import { maxDifference } from '../differences.ts'
import { referenceDir } from '../reference.ts'

const unit = (name: string) => readNpy(join(referenceDir!, 'units/arrays', `${name}.npy`))

describe.skipIf(!referenceDir)('position tables against the official code', () => {
  it.each([32, 64, 256, 512])('gives every token distance the official bucket of %i', async (size) => {
    const golden = await unit(`token_bucket_${size}`)
    expect([...tokenBuckets(size)]).toEqual(Array.from(golden.data, Number))
  })

  it.each([4, 6, 16])('gives every pair of a %i-grid the official bucket', async (size) => {
    const golden = await unit(`image_bucket_${size}`)
    expect([...imageBuckets(size)]).toEqual(Array.from(golden.data, Number))
  })

  it.each([
    [4, 6],
    [16, 24],
    [16, 32],
  ])('resizes absolute positions of a %i-grid to %i as torch does', async (from, to) => {
    const [input, golden] = [await unit(`pos_interp_${from}_${to}.in`), await unit(`pos_interp_${from}_${to}.out`)]
    const embedDim = input.shape.at(-1)!
    const resized = resizePosEmbed(input.data as Float32Array, from, to, embedDim)
    // torch weighs in float32, we in float64: its own rounding on values up to 4 leaves 2.3e-6.
    expect(maxDifference(resized, golden.data as Float32Array)).toBeLessThanOrEqual(3e-6)
  })

  it.each([
    [4, 6],
    [16, 24],
    [16, 32],
  ])('enlarges the relative table of a %i-grid to %i as scipy does', async (from, to) => {
    const [input, golden] = [await unit(`rel_interp_${from}_${to}.in`), await unit(`rel_interp_${from}_${to}.out`)]
    const heads = input.shape[1]!
    const clsRows = Array.from({ length: 3 * heads }, (_, i) => i + 1) // the goldens hold the grid alone
    const table = Float32Array.of(...(input.data as Float32Array), ...clsRows)
    const expected = Float32Array.of(...(golden.data as Float32Array), ...clsRows)
    expect(maxDifference(enlargeRelPosTable(table, from, to, heads), expected)).toBeLessThanOrEqual(1e-6)
  })
})
