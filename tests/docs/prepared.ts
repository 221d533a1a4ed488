/** What pages need beside the sample files: what a reader would have fetched. */
import { mkdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import * as dataSets from '../eval/data-set-files.ts'
import { writeTinyBundle, writeTinyOfficial } from '../tiny-bundle.ts'

export const PREPARED: Readonly<Record<string, (dir: string) => Promise<void>>> = {
  'docs/official-weights.md': (dir) => writeTinyOfficial(join(dir, 'checkpoints')),
  'docs/migrating.md': async (dir) => {
    await mkdir(join(dir, 'models'))
    await rename(await writeTinyBundle(join(dir, 'tiny')), join(dir, 'models', 'one-peace'))
  },
  'docs/evaluate.md': async (dir) => {
    const data = join(dir, 'data')
    await dataSets.writeCoco(join(data, 'coco'))
    await dataSets.writeRefCoco(join(data, 'refcoco'))
    await dataSets.writeEsc50(join(data, 'ESC-50'))
    await dataSets.writeAudioCaps(join(data, 'audiocaps'))
  },
}
