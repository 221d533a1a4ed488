/**
 * Emoji artwork and names: Twemoji's drawings (CC BY 4.0) with Unicode CLDR names (emojibase-data, MIT). No drawing of
 * this style was ever used for training the default model, so the samples show what it does with pictures new to it.
 */
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { renderArtwork } from '../media/image.ts'

const require = createRequire(import.meta.url)
const twemojiDir = dirname(require.resolve('@twemoji/svg/1f600.svg'))

export interface Emoji {
  /** Code points joined by `-`, as emojibase writes them, e.g. `1F469-200D-1F680`. */
  hexcode: string
  /** CLDR short name, lower case. */
  name: string
  /** Unicode's group, absent for building blocks that are no emoji of their own. */
  group?: number
}

/** All emoji without skin tones, in Unicode's order. */
export async function readEmoji(): Promise<Emoji[]> {
  const path = require.resolve('emojibase-data/en/compact.json')
  const entries = JSON.parse(await readFile(path, 'utf8')) as { hexcode: string; label: string; group?: number }[]
  return entries.map(({ hexcode, label, group }) => ({
    hexcode,
    name: label.toLowerCase(),
    ...(group !== undefined && { group }),
  }))
}

/** Square PNG of an emoji in Twemoji's style; undefined where Twemoji has no such drawing. */
export async function twemojiPicture(
  hexcode: string,
  sidePx: number,
  background?: string,
): Promise<Buffer | undefined> {
  const file = twemojiFile(hexcode)
  return file === undefined ? undefined : renderArtwork(await readFile(file), sidePx, background)
}

/** Path of an emoji's drawing. Unicode adds emoji every year that Twemoji has not drawn yet. */
export function twemojiFile(hexcode: string): string | undefined {
  const lower = hexcode.toLowerCase()
  // Twemoji leaves the variation selector out unless the emoji is a joined one.
  const names = [lower, lower.replaceAll('-fe0f', '')]
  return names.map((name) => join(twemojiDir, `${name}.svg`)).find((path) => existsSync(path))
}
