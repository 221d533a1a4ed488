/**
 * COCO and Flickr30K in Karpathy's splits (Karpathy and Fei-Fei 2015): one JSON file of all pictures and their sentences.
 *
 *   {"images": [{"filepath": "val2014", "filename": "COCO_val2014_000000391895.jpg", "split": "test",
 *                "sentences": [{"raw": "A man with a red helmet …"}, …]}, …], "dataset": "coco"}
 */
import { z } from 'zod'
import { EvaluationError } from '../evaluation-error.ts'
import type { Asked, DataSet, Retrieval } from './data-set.ts'
import { firstOf, MediaFolder, readJson } from './files.ts'

const Karpathy = z.object({
  images: z.array(
    z.object({
      filename: z.string(),
      split: z.string(),
      sentences: z.array(z.object({ raw: z.string() })).min(1),
    }),
  ),
})

async function read(file: string, dir: string, split: string): Promise<Asked> {
  const { images } = await readJson(await firstOf(dir, file), Karpathy)
  const own = images.filter((image) => image.split === split)
  if (own.length === 0) throw new EvaluationError(`${file} has no picture of the split '${split}'.`)
  const folder = await MediaFolder.open(dir, 'image')
  const exam: Retrieval = { task: 'retrieval', kind: 'image', media: [], texts: [] }
  for (const { filename, sentences } of own) {
    const path = folder.find(filename)
    if (path === undefined) continue
    const of = exam.media.push(path) - 1
    exam.texts.push(...sentences.map(({ raw }) => ({ text: raw.trim(), of })))
  }
  return { exam, missing: folder.missing }
}

export const COCO: DataSet = {
  name: 'coco',
  title: 'COCO',
  splits: ['test', 'val'],
  layout: "dataset_coco.json (Karpathy's splits) and the pictures of val2014 and train2014, in any folder below",
  read: (dir, split) => read('dataset_coco.json', dir, split),
}

export const FLICKR30K: DataSet = {
  name: 'flickr30k',
  title: 'Flickr30K',
  splits: ['test', 'val'],
  layout: "dataset_flickr30k.json (Karpathy's splits) and the pictures, in any folder below",
  read: (dir, split) => read('dataset_flickr30k.json', dir, split),
}
