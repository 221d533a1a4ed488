/**
 * The benchmark as files, which `python -m training.material.benchmark --out DIR` writes: sounds at held-out parameters, and
 * scenes of held-out compositions with phrases, questions, statements and masks. Its format is told there.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

export const MAKE_MATERIAL = 'make it with `python -m training.material.benchmark --out DIR` and give `--material DIR`.'

/** `training`: styles that training has seen; `held-out`: the style it never loaded. Compositions are held out in both. */
export type Styles = 'training' | 'held-out'

/** benchmark.json. Files are relative to the folder. */
interface Index {
  /** Names of the mask's values. */
  classes: string[]
  events: string[]
  chance: { questions: Record<string, number>; pairs: number; sound_questions: number }
  grounding: { styles: Styles; picture: string; phrase: string; kind: string; box: [number, number, number, number] }[]
  segmentation: { styles: Styles; picture: string; mask: string }[]
  questions: { styles: Styles; picture: string; question: string; answer: string; kind: string }[]
  pairs: { styles: Styles; left: string; right: string; statement: string; true: boolean; kind: string }[]
  sounds: { sound: string; event: string }[]
  sound_questions: { sound: string; question: string; candidates: string[]; right: number; kind: string }[]
}

export interface Material extends Index {
  /** Bytes of a file of the folder. */
  read(name: string): Promise<Buffer>
}

export class MaterialError extends Error {
  override name = 'MaterialError'
}

/** @throws MaterialError if the folder is none that the command wrote */
export async function readMaterial(dir: string): Promise<Material> {
  const text = await readFile(join(dir, 'benchmark.json'), 'utf8').catch((cause) => {
    throw new MaterialError(`${dir} has no benchmark.json; ${MAKE_MATERIAL}`, { cause })
  })
  return { ...(JSON.parse(text) as Index), read: (name) => readFile(join(dir, name)) }
}
