/** What is found: a query a row, its nearest pictures beside it, the right one framed. */
import { artwork, card, drawing, FAINT, heading, INK, MUTED, type Point, RIGHT, shortened, text } from './svg.ts'

export interface GalleryRow {
  /** Written above or beside. */
  word: string
  /** Of a sound: 16-bit samples, to draw its outline. */
  samples?: Int16Array
  found: { svg: string; name: string; isRight: boolean }[]
}

const CELL = 112
const GAP = 14
const LEFT = 250
const TOP = 122
const ROW = CELL + GAP + 12

export function galleryFigure(title: string, lines: readonly string[], rows: readonly GalleryRow[]): string {
  const most = Math.max(...rows.map(({ found }) => found.length))
  const width = LEFT + most * (CELL + GAP) + 18
  const body = rows.flatMap((row, i) => galleryRow(row, TOP + i * ROW))
  return drawing(width, TOP + rows.length * ROW + 14, [heading(title, lines), ...body])
}

function galleryRow({ word, samples, found }: GalleryRow, y: number): string[] {
  const middle = y + CELL / 2
  const query = samples
    ? [
        outline(samples, { x: 32, y: middle - 14 }, 190, 54),
        text({ x: 127, y: middle + 40 }, word, { size: 17, anchor: 'middle' }),
      ]
    : [text({ x: 32, y: middle + 6 }, word, { size: 19, weight: 'bold' })]
  return [...query, ...found.map((hit, i) => hitCard(hit, { x: LEFT + i * (CELL + GAP), y }))]
}

function hitCard({ svg, name, isRight }: GalleryRow['found'][number], at: Point): string {
  const label = text({ x: at.x + CELL / 2, y: at.y + CELL - 9 }, shortened(name, 16), {
    size: 11,
    fill: isRight ? RIGHT : MUTED,
    anchor: 'middle',
    weight: isRight ? 'bold' : 'normal',
  })
  return card(at, CELL, CELL, isRight ? RIGHT : FAINT) + artwork(svg, { x: at.x + 20, y: at.y + 10 }, CELL - 40) + label
}

/** Loudness over time, mirrored. */
function outline(samples: Int16Array, { x, y }: Point, width: number, height: number): string {
  const bars = 48
  const peaks = Array.from({ length: bars }, (_, i) => {
    const part = samples.subarray((i * samples.length) / bars, ((i + 1) * samples.length) / bars)
    return part.reduce((peak, sample) => Math.max(peak, Math.abs(sample)), 0)
  })
  const loudest = Math.max(1, ...peaks)
  const step = width / bars
  return peaks
    .map((peak, i) => {
      const tall = Math.max(2, (height * peak) / loudest)
      return `<rect x="${x + i * step}" y="${y - tall / 2}" width="${step * 0.6}" height="${tall}" rx="1" fill="${INK}"/>`
    })
    .join('')
}
