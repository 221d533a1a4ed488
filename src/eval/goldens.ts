/**
 * A folder of golden data: `manifest.json` with cases (inputs and expected outputs of the reference implementation) and
 * the arrays they name. Only what the verification reads is typed here.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type NpyArray, readNpy } from './npy.ts'

interface ArrayFile {
  file: string
}

export interface GoldenCase {
  name: string
  checkpoint: string
  kind: string
  /** Side of the model's picture input where it is not the checkpoint's own. */
  patch_image_size?: number
  texts?: string[] | null
  /** Media files of the case, relative to the folder. */
  files?: string[]
  inputs?: Record<string, ArrayFile>
  outputs?: Record<string, ArrayFile>
}

interface GoldenMedia {
  file: string
  outputs: Record<string, ArrayFile>
}

/** The folder holds no readable goldens; the message says what to do. */
export class GoldensError extends Error {
  override name = 'GoldensError'
}

export class Goldens {
  readonly #dir: string
  readonly #media: ReadonlyMap<string, GoldenMedia>
  readonly cases: readonly GoldenCase[]

  private constructor(dir: string, cases: readonly GoldenCase[], media: readonly GoldenMedia[]) {
    this.#dir = dir
    this.cases = cases
    this.#media = new Map(media.map((entry) => [entry.file, entry]))
  }

  /** @throws GoldensError if the folder has no readable manifest of cases */
  static async open(dir: string): Promise<Goldens> {
    const path = join(dir, 'manifest.json')
    const text = await readFile(path, 'utf8').catch((cause: unknown) => {
      throw new GoldensError(`${path} cannot be read: name the folder that holds the goldens' manifest.json.`, {
        cause,
      })
    })
    const manifest = parseManifest(text, path)
    if (!Array.isArray(manifest.cases)) throw new GoldensError(`${path} lists no cases: is it a goldens folder?`)
    return new Goldens(dir, manifest.cases, manifest.media ?? [])
  }

  input(golden: GoldenCase, name: string): Promise<NpyArray | undefined> {
    return this.#read(golden.inputs?.[name])
  }

  output(golden: GoldenCase, name: string): Promise<NpyArray | undefined> {
    return this.#read(golden.outputs?.[name])
  }

  /** A prepared input (`tensor` of a picture, `feats` of a sound) of one of the folder's media files. */
  mediaArray(file: string, name: string): Promise<NpyArray | undefined> {
    return this.#read(this.#media.get(file)?.outputs[name])
  }

  async #read(entry: ArrayFile | undefined): Promise<NpyArray | undefined> {
    return entry ? readNpy(join(this.#dir, entry.file)) : undefined
  }
}

function parseManifest(text: string, path: string): { cases?: GoldenCase[]; media?: GoldenMedia[] } {
  try {
    return JSON.parse(text) as { cases?: GoldenCase[]; media?: GoldenMedia[] }
  } catch (cause) {
    throw new GoldensError(`${path} is not valid JSON.`, { cause })
  }
}
