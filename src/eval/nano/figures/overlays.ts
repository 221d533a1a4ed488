/** What heads say of scenes, drawn over them: boxes of phrases, and classes of pixels. */
import type { PhraseCase, SegmentCase, SegmentMap } from '../heads.ts'
import { drawing, FAINT, heading, MUTED, type Point, picture, RIGHT, shortened, text, WRONG } from './svg.ts'

type Box = PhraseCase['box']

const SIDE = 236
const GAP = 22
const LEFT = 32
const TOP = 142

/** One phrase a picture; boxes are parts of the side. */
export function groundingFigure(cases: readonly { one: PhraseCase; said: Box }[], share: string): string {
  const columns = 4
  const row = SIDE + 58
  const body = cases.map(({ one, said }, i) => {
    const at = { x: LEFT + (i % columns) * (SIDE + GAP), y: TOP + Math.floor(i / columns) * row }
    const label = { size: 14, anchor: 'middle' } as const
    return [
      scene(one.picture, at, SIDE),
      frame(one.box, at, RIGHT, ' stroke-dasharray="7 5"'),
      frame(said, at, WRONG, ''),
      text({ x: at.x + SIDE / 2, y: at.y + SIDE + 24 }, shortened(`“${one.phrase}”`, 34), label),
    ].join('')
  })
  const lines = [
    `Scenes of compositions never trained on; ${share}.`,
    'Magenta: the box the model gives; green, dashed: the right one.',
    'The phrases are drawn by chance, six in known styles, then six in the held-out style.',
  ]
  const height = TOP + Math.ceil(cases.length / columns) * row
  return drawing(2 * LEFT + columns * (SIDE + GAP) - GAP, height, [heading('Grounding', lines), ...body])
}

function frame([x1, y1, x2, y2]: Box, { x, y }: Point, colour: string, dashes: string): string {
  const place = `x="${x + x1 * SIDE}" y="${y + y1 * SIDE}"`
  const size = `width="${Math.max(0, x2 - x1) * SIDE}" height="${Math.max(0, y2 - y1) * SIDE}"`
  const rect = (stroke: string, line: number, more = '') =>
    `<rect ${place} ${size} rx="3" fill="none" stroke="${stroke}" stroke-width="${line}"${more}/>`
  return rect('#ffffff', 6) + rect(colour, 3.5, dashes)
}

/** A scene with a thin edge, as many have white grounds. */
function scene(png: Uint8Array, at: Point, side: number): string {
  const edge = `<rect x="${at.x}" y="${at.y}" width="${side}" height="${side}" fill="none" stroke="${FAINT}" stroke-width="1.5"/>`
  return picture(png, at, side) + edge
}

const CLASS_COLOURS = [
  '#e8590c',
  '#2f9e44',
  '#fab005',
  '#1c7ed6',
  '#7048e8',
  '#22b8cf',
  '#e64980',
  '#8d6e2f',
  '#495057',
]

/** Three pictures in a row: the scene, what it is, what the model says. */
export function segmentationFigure(
  cases: readonly { one: SegmentCase; said: SegmentMap }[],
  classes: readonly string[],
  share: string,
): string {
  const side = 176
  const [columns, row, group] = [2, side + 16, 3 * (side + 8) + 28]
  const body = cases.map(({ one, said }, i) => {
    const y = TOP + 28 + Math.floor(i / columns) * row
    const at = (n: number) => ({ x: LEFT + (i % columns) * group + n * (side + 8), y })
    return [scene(one.picture, at(0), side), labelMap(one, at(1), side), labelMap(said, at(2), side)].join('')
  })
  const captions = Array.from({ length: columns }, (_, c) =>
    ['scene', 'what it shows', 'what the model says']
      .map((caption, n) => {
        const x = LEFT + c * group + n * (side + 8) + side / 2
        return text({ x, y: TOP + 14 }, caption, { size: 13, fill: MUTED, anchor: 'middle' })
      })
      .join(''),
  )
  const bottom = TOP + 28 + Math.ceil(cases.length / columns) * row
  const legend = classes.slice(1).map((name, i) => {
    const x = LEFT + i * 124
    const box = `<rect x="${x}" y="${bottom + 8}" width="14" height="14" rx="3" fill="${colourOf(i + 1)}"/>`
    return box + text({ x: x + 21, y: bottom + 20 }, name, { size: 14, fill: MUTED })
  })
  const lines = [`Scenes of compositions never trained on; ${share}.`, 'The scenes are drawn by chance.']
  const title = heading('Semantic segmentation', lines)
  return drawing(2 * LEFT + columns * group - 28, bottom + 42, [title, ...captions, ...body, ...legend])
}

const colourOf = (label: number): string => CLASS_COLOURS[(label - 1) % CLASS_COLOURS.length]!

/** One path a class, a rectangle a run of equal pixels in a line. */
function labelMap({ width, height, map }: SegmentMap, { x, y }: Point, side: number): string {
  const runs = new Map<number, string[]>()
  for (let line = 0; line < height; line++) {
    for (let start = 0, end = 0; start < width; start = end) {
      const label = map[line * width + start]!
      while (end < width && map[line * width + end] === label) end++
      if (label > 0) runs.set(label, [...(runs.get(label) ?? []), `M${start} ${line}h${end - start}v1h${start - end}z`])
    }
  }
  const paths = [...runs].map(([label, path]) => `<path d="${path.join('')}" fill="${colourOf(label)}"/>`)
  const ground = `<rect width="${width}" height="${height}" fill="#f1f3f5"/>`
  const scale = `translate(${x} ${y}) scale(${side / width} ${side / height})`
  return `<g transform="${scale}" shape-rendering="crispEdges">${ground}${paths.join('')}</g>`
}
