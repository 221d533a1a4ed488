import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { crop } from '../../../src/services/crop.ts'

/** Every pixel says where it is. */
function picture(width: number, height: number) {
  const data = new Uint8Array(width * height * 3)
  for (let i = 0; i < width * height; i++) data.set([i % width, Math.floor(i / width), 7], i * 3)
  return { modality: 'image' as const, width, height, data }
}

it('cuts out the pixels that the box touches', () => {
  const part = crop(picture(10, 8), [2, 3, 4.5, 5])
  expect([part.width, part.height]).toEqual([3, 2])
  expect([...part.data]).toEqual([2, 3, 7, 3, 3, 7, 4, 3, 7, 2, 4, 7, 3, 4, 7, 4, 4, 7])
})

it('gives at least one pixel of the picture whatever the box, its corners in any order', () => {
  const side = fc.integer({ min: 1, max: 12 })
  const at = fc.double({ min: -30, max: 30, noNaN: true })
  fc.assert(
    fc.property(side, side, fc.tuple(at, at, at, at), (width, height, [x0, y0, x1, y1]) => {
      const part = crop(picture(width, height), [x0, y0, x1, y1])
      expect(part.data.length).toBe(part.width * part.height * 3)
      expect(part.width * part.height).toBeGreaterThan(0)
      expect(part.data[0]! + part.width).toBeLessThanOrEqual(width)
      expect(part.data[1]! + part.height).toBeLessThanOrEqual(height)
      expect(crop(picture(width, height), [x1, y1, x0, y0])).toEqual(part)
    }),
  )
})
