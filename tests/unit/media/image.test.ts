import { deflateSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { decodeImage, readImageInfo } from '../../../src/media/image.ts'
import { png, pngHeader } from './png-writer.ts'

const RED_HALF_CLEAR = [255, 0, 0, 128]

describe('decodeImage', () => {
  test('drops alpha without blending', async () => {
    const { width, height, data } = await decodeImage(png(2, 1, 6, [...RED_HALF_CLEAR, 0, 0, 9, 0]), { orient: true })
    expect({ width, height, data: [...data] }).toEqual({ width: 2, height: 1, data: [255, 0, 0, 0, 0, 9] })
  })

  test('expands grey to RGB', async () => {
    const { data } = await decodeImage(png(2, 1, 0, [7, 200]), { orient: true })
    expect([...data]).toEqual([7, 7, 7, 200, 200, 200])
  })

  test('gives pixels in a buffer of their own, which can be handed to another thread', async () => {
    const { data } = await decodeImage(png(1, 1, 2, [1, 2, 3]), { orient: true })
    expect(data.buffer.byteLength).toBe(3)
  })

  test('turns a picture as its EXIF tag says only when asked to', async () => {
    const tagged = await rotatedJpeg()
    expect(await decodeImage(tagged, { orient: true })).toMatchObject({ width: 8, height: 16 })
    expect(await decodeImage(tagged, { orient: false })).toMatchObject({ width: 16, height: 8 })
    expect(await readImageInfo(tagged)).toMatchObject({ width: 16, height: 8, orientation: 6 })
  })

  test('refuses a picture of 200 megapixels by its header, whatever the pixels', async () => {
    const bomb = pngHeader(20_000, 10_000, 2, deflateSync(Buffer.alloc(0)))
    expect(bomb.length).toBeLessThan(200)
    await expect(decodeImage(bomb, { orient: true })).rejects.toMatchObject({ code: 'media-too-large' })
    await expect(readImageInfo(bomb)).rejects.toThrow(/20000 × 10000/)
  })

  test('takes another limit of pixels', async () => {
    const picture = png(4, 4, 0, new Array(16).fill(1))
    await expect(decodeImage(picture, { orient: true, maxPixels: 15 })).rejects.toMatchObject({
      code: 'media-too-large',
    })
    await expect(decodeImage(picture, { orient: true, maxPixels: 16 })).resolves.toMatchObject({ width: 4 })
  })

  test.each([0.4, 0.7, 0.95])('refuses a PNG cut at %f of its length rather than fill it with grey', async (part) => {
    const noise = Array.from({ length: 64 * 64 * 3 }, (_, i) => (i * 7_919) % 251)
    const whole = png(64, 64, 2, noise)
    const cut = whole.subarray(0, whole.length * part)
    await expect(decodeImage(cut, { orient: true })).rejects.toMatchObject({ code: 'undecodable-media' })
  })

  test('never gives SVG or text to the decoder', async () => {
    const svg = new Uint8Array(Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'))
    await expect(decodeImage(svg, { orient: true })).rejects.toMatchObject({ code: 'unsupported-media-type' })
  })

  test('is called off by its signal', async () => {
    const signal = AbortSignal.abort()
    const done = decodeImage(png(1, 1, 2, [1, 2, 3]), { orient: true, signal })
    await expect(done).rejects.toMatchObject({ code: 'deadline-exceeded' })
  })
})

/** 16 × 8 pixels with EXIF orientation 6 (turn right by 90°). */
async function rotatedJpeg(): Promise<Uint8Array> {
  const { default: sharp } = await import('sharp')
  const grey = sharp({ create: { width: 16, height: 8, channels: 3, background: '#808080' } })
  return grey.withMetadata({ orientation: 6 }).jpeg().toBuffer()
}
