/** What was taken for what: a picture, and the picture that belongs to the name it was given. */
import { artwork, card, drawing, heading, type Point, RIGHT, shortened, text, WRONG } from './svg.ts'

export interface Confusion {
  shown: { svg: string; name: string }
  said: { svg: string; name: string }
}

const CELL = 118
const PAIR = 2 * CELL + 62
const COLUMNS = 4
const TOP = 128
const ROW = CELL + 44

export function confusionsFigure(title: string, lines: readonly string[], confusions: readonly Confusion[]): string {
  const body = confusions.map((confusion, i) =>
    pair(confusion, { x: 32 + (i % COLUMNS) * (PAIR + 20), y: TOP + Math.floor(i / COLUMNS) * ROW }),
  )
  const height = TOP + Math.ceil(confusions.length / COLUMNS) * ROW + 6
  return drawing(32 + COLUMNS * (PAIR + 20) + 12, height, [heading(title, lines), ...body])
}

function pair({ shown, said }: Confusion, { x, y }: Point): string {
  const second = x + CELL + 42
  const arrow = `<path d="M${x + CELL + 9} ${y + CELL / 2}h20m-8 -7l8 7l-8 7" fill="none" stroke="${WRONG}" stroke-width="3" stroke-linecap="round" stroke-linejoin="round"/>`
  return side(shown, { x, y }, RIGHT) + arrow + side(said, { x: second, y }, WRONG)
}

function side({ svg, name }: Confusion['shown'], at: Point, colour: string): string {
  const label = text({ x: at.x + CELL / 2, y: at.y + CELL + 20 }, shortened(name, 18), {
    size: 12.5,
    fill: colour,
    anchor: 'middle',
  })
  return card(at, CELL, CELL) + artwork(svg, { x: at.x + 17, y: at.y + 17 }, CELL - 34) + label
}
