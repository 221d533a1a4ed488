/** The few marks that the figures are drawn with. Lengths are SVG units, one a pixel of the PNG. */

export const INK = '#1f2a37'
export const MUTED = '#6b7684'
export const FAINT = '#e3e8ee'
export const RIGHT = '#2b8a3e'
export const WRONG = '#d6336c'
const PAPER = '#ffffff'
const FONT = 'Inter, Noto Sans, DejaVu Sans, Liberation Sans, sans-serif'

export interface Point {
  x: number
  y: number
}

export interface TextStyle {
  size?: number
  fill?: string
  anchor?: 'start' | 'middle' | 'end'
  weight?: 'normal' | 'bold'
  /** A rim of paper around the letters, for texts above other marks. */
  haloed?: boolean
}

export function drawing(width: number, height: number, body: readonly string[]): string {
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="${FONT}">` +
    `<rect width="100%" height="100%" fill="${PAPER}"/>${body.join('')}</svg>`
  )
}

/** `y` is the base line. */
export function text(at: Point, content: string, style: TextStyle = {}): string {
  const { size = 15, fill = INK, anchor = 'start', weight = 'normal', haloed } = style
  const halo = haloed ? ` stroke="${PAPER}" stroke-width="3" stroke-linejoin="round" paint-order="stroke"` : ''
  const place = `x="${at.x.toFixed(1)}" y="${at.y.toFixed(1)}" text-anchor="${anchor}"`
  return `<text ${place} font-size="${size}" font-weight="${weight}" fill="${fill}"${halo}>${escaped(content)}</text>`
}

/** A title and what the figure shows, in lines. */
export function heading(title: string, lines: readonly string[]): string {
  const below = lines.map((line, i) => text({ x: 32, y: 78 + 21 * i }, line, { size: 15, fill: MUTED }))
  return text({ x: 32, y: 48 }, title, { size: 25, weight: 'bold' }) + below.join('')
}

/** Our own artwork, an SVG document, as a square. */
export function artwork(svg: string, { x, y }: Point, side: number): string {
  return svg.replace(/^.*?<svg /s, `<svg x="${x.toFixed(1)}" y="${y.toFixed(1)}" width="${side}" height="${side}" `)
}

export function picture(png: Uint8Array, { x, y }: Point, side: number): string {
  const url = `data:image/png;base64,${Buffer.from(png).toString('base64')}`
  return `<image x="${x}" y="${y}" width="${side}" height="${side}" href="${url}"/>`
}

/** A card with round corners; `stroke` says right or wrong. */
export function card({ x, y }: Point, width: number, height: number, stroke = FAINT): string {
  const line = stroke === FAINT ? 1.5 : 3.5
  return `<rect x="${x}" y="${y}" width="${width}" height="${height}" rx="12" fill="${PAPER}" stroke="${stroke}" stroke-width="${line}"/>`
}

/** At most `most` characters. */
export const shortened = (content: string, most: number): string =>
  content.length <= most ? content : `${content.slice(0, most - 1).trimEnd()}…`

function escaped(content: string): string {
  return content.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;')
}
