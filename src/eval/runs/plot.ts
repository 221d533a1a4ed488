/**
 * What a run found as a drawing: a bar a figure with its 95 % interval, chance as a dotted mark, and the paper's figure as a line
 * across.
 */
import { drawing, FAINT, heading, INK, MUTED, RIGHT, text } from '../nano/figures/svg.ts'
import type { Result, ResultRow } from './result.ts'

const WIDTH = 860
const TOP = 120
const ROW = 44
const BAR = 20
const LEFT = 230
const SPAN = 480
const BOTTOM = 70
const BLUE = '#3b6fb6'

const xOf = (share: number): number => LEFT + SPAN * Math.min(1, Math.max(0, share))

/** @param title of the data set @returns SVG */
export function plotOf({ split, model, setting, rows }: Result, title: string): string {
  const height = TOP + rows.length * ROW + BOTTOM
  const scale = [0, 0.25, 0.5, 0.75, 1].flatMap((share) => [
    line(xOf(share), TOP - 8, xOf(share), height - BOTTOM, FAINT, 1),
    text({ x: xOf(share), y: height - BOTTOM + 20 }, `${100 * share} %`, { size: 13, fill: MUTED, anchor: 'middle' }),
  ])
  const key = text(
    { x: LEFT, y: height - 18 },
    'bar: found, with its 95 % interval · green: the paper · grey: chance',
    {
      size: 13,
      fill: MUTED,
    },
  )
  const bars = rows.map((row, i) => barOf(row, TOP + i * ROW))
  const below = [`${model.name} (${model.sha256.slice(0, 12)}), ${setting}`]
  return drawing(WIDTH, height, [heading(`${title}, ${split}`, below), ...scale, ...bars, key])
}

function barOf({ task, measure, value, interval, chance, paper }: ResultRow, y: number): string {
  const middle = y + BAR / 2
  const label = paper ? `${(100 * value).toFixed(1)} (${(100 * paper.value).toFixed(1)})` : (100 * value).toFixed(1)
  return [
    text({ x: LEFT - 14, y: middle + 5 }, `${task}, ${measure}`, { size: 15, anchor: 'end' }),
    `<rect x="${LEFT}" y="${y}" width="${(xOf(value) - LEFT).toFixed(1)}" height="${BAR}" fill="${BLUE}"/>`,
    interval ? line(xOf(interval[0]), middle, xOf(interval[1]), middle, INK, 2) : '',
    chance === undefined ? '' : line(xOf(chance), y - 3, xOf(chance), y + BAR + 3, MUTED, 2, '3 3'),
    paper ? line(xOf(paper.value), y - 6, xOf(paper.value), y + BAR + 6, RIGHT, 4) : '',
    text({ x: LEFT + SPAN + 18, y: middle + 5 }, label, { size: 15 }),
  ].join('')
}

function line(x1: number, y1: number, x2: number, y2: number, colour: string, width: number, dashes = ''): string {
  const [from, to] = [`x1="${x1.toFixed(1)}" y1="${y1.toFixed(1)}"`, `x2="${x2.toFixed(1)}" y2="${y2.toFixed(1)}"`]
  return `<line ${from} ${to} stroke="${colour}" stroke-width="${width}" stroke-dasharray="${dashes || 'none'}"/>`
}
