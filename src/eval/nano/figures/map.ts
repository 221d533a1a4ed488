/** The space on a plane: words in their places, pictures and spoken words where the words pull them. */
import { seeded } from '../../../samples/synthesis.ts'
import { dot } from '../../metrics.ts'
import type { Vector } from '../space.ts'
import { artwork, drawing, heading, MUTED, type Point, text } from './svg.ts'
import { tsne } from './tsne.ts'

export interface MapConcept {
  word: string
  kind: string
  /** SVG source. */
  svg: string
  vectors: { picture: Vector; text: Vector; speech?: Vector }
}

const SIDE = 1400
const TOP = 190
const ROOM = 1100
const PICTURE = 42
/** Least distance of two words. */
const APART = 104
/** Of the softmax; about the temperature that training ends with. */
const SHARPNESS = 40
const COLOURS = ['#e8590c', '#2f9e44', '#d6336c', '#1c7ed6', '#7048e8', '#0c8599', '#c2255c', '#9c6f19', '#495057']

export function mapFigure(concepts: readonly MapConcept[]): string {
  const kinds = [...new Set(concepts.map(({ kind }) => kind))]
  const colourOf = (kind: string) => COLOURS[kinds.indexOf(kind) % COLOURS.length]!
  const places = placesOf(concepts)
  const lines = concepts.map(({ kind }, i) => threads(places[i]!, colourOf(kind)))
  const pictures = concepts.map((concept, i) => pictureOf(concept, places[i]!))
  const sounds = concepts.map(({ kind }, i) => soundOf(places[i]!, colourOf(kind)))
  const labels = concepts.map(({ word, kind }, i) =>
    text(places[i]!.text, word, { size: 15, fill: colourOf(kind), anchor: 'middle', haloed: true }),
  )
  const title = heading('One space, three modalities', [
    'Written words are laid out by t-SNE. Each picture, in a drawing style never trained on, and each spoken word (dot), by a voice never heard,',
    'lies where the words pull it: at the mean of their places, weighed by a softmax of its cosines to them. Where all agree, dot, picture and word',
    'meet; a line leads to a picture or sound that was taken for something else. Colours are the kinds of things.',
  ])
  const legend = kinds.map((kind, i) => legendEntry(kind, colourOf(kind), 32 + 140 * i, SIDE - 24))
  return drawing(SIDE, SIDE, [title, ...lines, ...pictures, ...sounds, ...labels, ...legend])
}

interface Places {
  picture: Point
  text: Point
  speech?: Point
}

function placesOf(concepts: readonly MapConcept[]): Places[] {
  const words = concepts.map(({ vectors }) => vectors.text)
  const flat = tsne(words, { perplexity: 8, chance: seeded(1) })
  const anchors = movedApart(flat.map(([x, y]) => ({ x: (SIDE * (1 + 0.9 * x)) / 2, y: TOP + (ROOM * (1 + y)) / 2 })))
  return concepts.map(({ vectors: { picture, speech } }, i) => ({
    text: anchors[i]!,
    picture: pulled(picture, words, anchors),
    ...(speech && { speech: pulled(speech, words, anchors) }),
  }))
}

/** Mean of the words' places, weighed by how near the model finds the words: a softmax of cosines. */
function pulled(vector: Vector, words: readonly Vector[], anchors: readonly Point[]): Point {
  const weights = words.map((word) => Math.exp(SHARPNESS * dot(vector, word)))
  const sum = weights.reduce((a, b) => a + b, 0)
  const along = (axis: 'x' | 'y') => anchors.reduce((total, anchor, i) => total + (anchor[axis] * weights[i]!) / sum, 0)
  return { x: along('x'), y: along('y') }
}

/** Words that would hide each other give way, within the frame. */
function movedApart(points: Point[]): Point[] {
  for (let round = 0; round < 300; round++) {
    for (const [i, a] of points.entries()) {
      for (const b of points.slice(0, i)) {
        const [dx, dy] = [a.x - b.x, a.y - b.y]
        const distance = Math.hypot(dx, dy) || 1
        const push = Math.max(0, APART - distance) / 2 / distance
        a.x += push * dx
        a.y += push * dy
        b.x -= push * dx
        b.y -= push * dy
      }
    }
    for (const point of points) {
      point.x = Math.min(SIDE - 60, Math.max(60, point.x))
      point.y = Math.min(TOP + ROOM, Math.max(TOP, point.y))
    }
  }
  return points
}

/** Where the marks of a concept are drawn, so that those that meet do not hide each other: dot and picture above the word. */
const pictureAt = ({ x, y }: Point): Point => ({ x, y: y - 30 })
const dotAt = ({ x, y }: Point): Point => ({ x: x + 28, y: y - 42 })

/** From the word to its picture and its sound. */
function threads({ picture, text: word, speech }: Places, colour: string): string {
  const ends = [pictureAt(picture), ...(speech ? [dotAt(speech)] : [])]
  return ends
    .map(({ x, y }) => {
      const line = `M${word.x.toFixed(1)} ${(word.y - 5).toFixed(1)}L${x.toFixed(1)} ${y.toFixed(1)}`
      return `<path d="${line}" stroke="${colour}" stroke-opacity="0.35" stroke-width="1.5"/>`
    })
    .join('')
}

function pictureOf({ svg }: MapConcept, { picture }: Places): string {
  const { x, y } = pictureAt(picture)
  return artwork(svg, { x: x - PICTURE / 2, y: y - PICTURE / 2 }, PICTURE)
}

function soundOf({ speech }: Places, colour: string): string {
  if (!speech) return ''
  const { x, y } = dotAt(speech)
  return `<circle cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="6" fill="${colour}" stroke="#fff" stroke-width="2"/>`
}

function legendEntry(kind: string, colour: string, x: number, y: number): string {
  return `<circle cx="${x + 6}" cy="${y - 5}" r="6" fill="${colour}"/>${text({ x: x + 19, y }, kind, { size: 15, fill: MUTED })}`
}
