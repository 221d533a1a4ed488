/** Boxes with their phrases as SVG to lay over a picture: a colour each, readable on any ground. */

export interface PhraseBox {
  phrase: string
  /** Pixels of the picture. */
  x1: number
  y1: number
  x2: number
  y2: number
}

/** Told apart also by those who see few colours (Okabe and Ito, 2008). */
const COLOURS = ['#e69f00', '#56b4e9', '#009e73', '#f0e442', '#0072b2', '#d55e00', '#cc79a7']
/** Parts of the picture's longer side. */
const STROKE = 1 / 250
const TEXT_SIZE = 1 / 40
const MIN_TEXT_PX = 11
/** Of the text size: what a character is wide in a sans-serif font, on average and with room to spare. */
const CHARACTER = 0.62

/** @returns SVG of the size of the picture */
export function boxesOver({ width, height }: { width: number; height: number }, boxes: readonly PhraseBox[]): string {
  const side = Math.max(width, height)
  const stroke = Math.max(2, side * STROKE)
  const size = Math.max(MIN_TEXT_PX, side * TEXT_SIZE)
  const drawn = boxes.map((box, i) => boxAndPhrase(box, COLOURS[i % COLOURS.length]!, { width, height, stroke, size }))
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${drawn.join('')}</svg>`
}

interface Measures {
  width: number
  height: number
  stroke: number
  size: number
}

/** The phrase stands above its box, or within it where there is no room. */
function boxAndPhrase(
  { phrase, x1, y1, x2, y2 }: PhraseBox,
  colour: string,
  { width, stroke, size }: Measures,
): string {
  // A model unsure of itself may say corners the wrong way round.
  const [x, y] = [Math.min(x1, x2), Math.min(y1, y2)]
  const tall = size * 1.4
  const wide = Math.min(width, phrase.length * size * CHARACTER + size)
  const left = Math.max(0, Math.min(x, width - wide))
  const top = y >= tall ? y - tall : y
  const rect = `x="${x}" y="${y}" width="${Math.abs(x2 - x1)}" height="${Math.abs(y2 - y1)}" fill="none"`
  return [
    `<rect ${rect} stroke="#000" stroke-opacity="0.6" stroke-width="${stroke * 2}"/>`,
    `<rect ${rect} stroke="${colour}" stroke-width="${stroke}"/>`,
    `<rect x="${left}" y="${top}" width="${wide}" height="${tall}" fill="${colour}"/>`,
    `<text x="${left + size / 2}" y="${top + size * 1.05}" font-family="sans-serif" font-size="${size}" fill="${inkOn(colour)}">`,
    `${escaped(phrase)}</text>`,
  ].join('')
}

/** Black or white, whichever is read better (by the luma of BT.601). */
function inkOn(colour: string): string {
  const [r, g, b] = [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16)) as [number, number, number]
  return 0.299 * r + 0.587 * g + 0.114 * b > 128 ? '#000' : '#fff'
}

/** Without what XML cannot hold. */
function escaped(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones to go
  return text.replace(/[\x00-\x08\x0b\x0c\x0e-\x1f]/g, '').replace(/[<>&"]/g, (char) => `&#${char.charCodeAt(0)};`)
}
