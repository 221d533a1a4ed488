/** A part of a picture's pixels, so that the part can be embedded by itself. */
import type { ImageInput } from '../encoder/encoder.ts'

/**
 * @param box corners in pixels, in any order; what lies outside the picture is cut off, and at least one pixel is left
 * @returns a copy, 8-bit RGB, row-major
 */
export function crop(
  { width, height, data }: ImageInput,
  [x0, y0, x1, y1]: readonly [number, number, number, number],
): ImageInput {
  const [left, right] = span(x0, x1, width)
  const [top, bottom] = span(y0, y1, height)
  const rowBytes = (right - left) * 3
  const part = new Uint8Array(rowBytes * (bottom - top))
  for (let y = top; y < bottom; y++) {
    const start = (y * width + left) * 3
    part.set(data.subarray(start, start + rowBytes), (y - top) * rowBytes)
  }
  return { modality: 'image', width: right - left, height: bottom - top, data: part }
}

/** Whole pixels from the first one touched up to, not including, the one after the last. */
function span(a: number, b: number, size: number): [number, number] {
  const first = Math.min(size - 1, Math.max(0, Math.floor(Math.min(a, b))))
  const end = Math.min(size, Math.max(first + 1, Math.ceil(Math.max(a, b))))
  return [first, end]
}
