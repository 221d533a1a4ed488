/** The benchmark's splits: what the default model never saw. One file, shared with the training code that obeys it. */
import { readFile } from 'node:fs/promises'

export const SPLITS_FILE = new URL('../../../training/splits.json', import.meta.url)

export interface Concept {
  hexcode: string
  name: string
}

export interface Splits {
  /** All emoji names of the benchmark. */
  names: Concept[]
  /** The spoken words, each with the emoji that shows its concept. */
  words: { word: string; hexcode: string }[]
  /** espeak-ng voices that no training clip was made with. */
  held_out_voices: string[]
  held_out_speed_pitch: { benchmark: { speed_wpm: number; pitch: number } }
}

export async function readSplits(): Promise<Splits> {
  return JSON.parse(await readFile(SPLITS_FILE, 'utf8')) as Splits
}
