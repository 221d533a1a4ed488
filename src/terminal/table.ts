/** Rows of texts → lines with aligned columns. */

const GAP = '  '

/**
 * Numbers stand to the right, texts to the left; trailing blanks are left out.
 * @param rows each as long as `headings`
 */
export function asTable(headings: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const lines = [headings, ...rows]
  const widths = headings.map((_, i) => Math.max(...lines.map((line) => widthOf(String(line[i] ?? '')))))
  return lines
    .map((line) =>
      line
        .map((cell, i) => padded(cell, widths[i]!))
        .join(GAP)
        .trimEnd(),
    )
    .join('\n')
}

function padded(cell: string | number, width: number): string {
  const blanks = ' '.repeat(width - widthOf(String(cell)))
  return typeof cell === 'number' ? `${blanks}${cell}` : `${cell}${blanks}`
}

const graphemes = new Intl.Segmenter()

/** What a reader counts as characters; East Asian ones and emoji take two columns. */
function widthOf(text: string): number {
  let width = 0
  for (const { segment } of graphemes.segment(text)) width += WIDE.test(segment) ? 2 : 1
  return width
}

const WIDE =
  /^(\p{Emoji_Presentation}|\p{Script=Han}|\p{Script=Hiragana}|\p{Script=Katakana}|\p{Script=Hangul}|[\uff01-\uff60])/u

/** A part of 1 as a bar of `length` characters. */
export function asBar(share: number, length = 20): string {
  const full = Math.round(Math.min(1, Math.max(0, share)) * length)
  return '█'.repeat(full) + '░'.repeat(length - full)
}

/** 1536 → `1.5 kB`; powers of 1000. */
export function asBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, bytes)) / 3)))
  const value = bytes / 1000 ** power
  return `${power === 0 ? value : value.toFixed(1)} ${units[power]}`
}

/** 3725 → `1 h 2 min`; of two units, the first that are not 0. */
export function asDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds))
  const [h, min, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60]
  if (h > 0) return `${h} h ${min} min`
  return min > 0 ? `${min} min ${s} s` : `${s} s`
}
