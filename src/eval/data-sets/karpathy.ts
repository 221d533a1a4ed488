/**
 * COCO and Flickr30K in Karpathy's splits (Karpathy and Fei-Fei 2015): one JSON file of all pictures and their sentences.
 *
 *   {"images": [{"filepath": "val2014", "filename": "COCO_val2014_000000391895.jpg", "split": "test",
 *                "sentences": [{"raw": "A man with a red helmet …"}, …]}, …], "dataset": "coco"}
 */
import { z } from 'zod'
import { EvaluationError } from '../evaluation-error.ts'
import { type Captioned, retrievalOf } from './captioned.ts'
import type { Asked, DataSet } from './data-set.ts'
import { firstOf, readJson } from './files.ts'

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
  const captioned = own.map(({ filename, sentences }): Captioned => {
    return { names: [filename], texts: sentences.map(({ raw }) => raw.trim()) }
  })
  return retrievalOf(dir, 'image', captioned)
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
