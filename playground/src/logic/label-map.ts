/** A label map in runs to coloured pixels. */
import type { Schemas } from '../api/call.ts'

export type Rgb = readonly [number, number, number]

/** Okabe and Ito's colours, which people of every colour vision tell apart, then some between them. */
export const COLOURS: readonly Rgb[] = [
  [213, 94, 0],
  [0, 114, 178],
  [0, 158, 115],
  [204, 121, 167],
  [230, 159, 0],
  [86, 180, 233],
  [240, 228, 66],
  [122, 81, 196],
  [150, 75, 40],
  [90, 100, 110],
]

/** What is nothing in particular: shown on demand only. */
export const isGround = (label: string): boolean => ['background', 'unlabeled', 'void'].includes(label)

export const colourOf = (index: number): Rgb => COLOURS[index % COLOURS.length]!
export const cssOf = ([r, g, b]: Rgb): string => `rgb(${r} ${g} ${b})`

/** RGBA, row by row. @param hidden classes left clear */
export function pixelsOf(
  { width, height, runs }: Schemas['SegmentResponse']['map'],
  hidden: ReadonlySet<number> = new Set(),
): Uint8ClampedArray<ArrayBuffer> {
  const pixels = new Uint8ClampedArray(width * height * 4)
  let at = 0
  for (const [index, length] of runs as [number, number][]) {
    const rgba = [...colourOf(index), hidden.has(index) ? 0 : 255]
    for (const end = at + 4 * length; at < end; at += 4) pixels.set(rgba, at)
  }
  return pixels
}
