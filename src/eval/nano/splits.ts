/** The benchmark's splits: what the default model never saw. One file, shared with the training code that obeys it. */
import { readFile } from 'node:fs/promises'

export const SPLITS_FILE = new URL('../../../training/splits.json', import.meta.url)

export interface Concept {
  hexcode: string
  name: string
}

export interface SpeedPitch {
  speed_wpm: number
  pitch: number
}

export interface Splits {
  /** All emoji names of the benchmark. */
  names: Concept[]
  /** The spoken words, each with the emoji that shows its concept. */
  words: { word: string; hexcode: string }[]
  /** espeak-ng voices that no training clip was made with. */
  held_out_voices: string[]
  /** Every voice is measured in the plain setting, the first in the corners of speed and pitch, too. */
  held_out_speed_pitch: { benchmark: SpeedPitch; corners: SpeedPitch[] }
  /** What sounds are called, and the emoji that shows the concept where there is one. */
  sound_events: { name: string; hexcode: string | null; texts: string[] }[]
  /** What scenes are made of. */
  objects: { name: string; hexcode: string; class: string }[]
}

export async function readSplits(): Promise<Splits> {
  return JSON.parse(await readFile(SPLITS_FILE, 'utf8')) as Splits
}
