/**
 * RefCOCO, RefCOCO+ (Kazemzadeh et al. 2014; Yu et al. 2016) and RefCOCOg (Mao et al. 2016) in the form of the `refer` repository:
 * a pickle of refs, which say what of which picture is meant, and COCO's `instances.json`, which has the boxes.
 *
 *   refs(unc).p:    [{"ann_id": 1719310, "image_id": 581857, "split": "train", "sentences": [{"sent": "the lady in …"}, …]}, …]
 *   instances.json: {"images": [{"id": 581857, "file_name": "COCO_train2014_….jpg"}, …],
 *                    "annotations": [{"id": 1719310, "bbox": [left, top, width, height]}, …]}
 *
 * The pickle is read by the interpreter that reads checkpoints: nothing in it is executed.
 */
import { z } from 'zod'
import { CheckpointError } from '../../checkpoint/checkpoint-error.ts'
import { readPickle } from '../../checkpoint/pickle.ts'
import { EvaluationError } from '../evaluation-error.ts'
import type { Box } from '../metrics.ts'
import type { Asked, DataSet, Grounding } from './data-set.ts'
import { checked, firstOf, MediaFolder, readAnnotations, readJson } from './files.ts'

/** RefCOCO's 50,000 refs take some six million operations. */
const MAX_OPERATIONS = 60_000_000

const Refs = z.array(
  z.object({
    ann_id: z.int(),
    image_id: z.int(),
    split: z.string(),
    sentences: z.array(z.object({ sent: z.string() })).min(1),
  }),
)

const Instances = z.object({
  images: z.array(z.object({ id: z.int(), file_name: z.string() })),
  annotations: z.array(z.object({ id: z.int(), bbox: z.tuple([z.number(), z.number(), z.number(), z.number()]) })),
})

/** @throws EvaluationError if it is no pickle of refs */
export async function readRefs(path: string): Promise<z.infer<typeof Refs>> {
  const bytes = await readAnnotations(path)
  try {
    return checked(asJson(readPickle(bytes, { maxOperations: MAX_OPERATIONS, oldProtocols: true })), Refs, path)
  } catch (cause) {
    if (!(cause instanceof CheckpointError)) throw cause
    throw new EvaluationError(`${path} cannot be read. ${cause.message}`, { cause })
  }
}

/** Dicts as objects. */
function asJson(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(asJson)
  if (!(value instanceof Map)) return value
  return Object.fromEntries([...value].map(([key, item]) => [String(key), asJson(item)]))
}

async function read(dir: string, split: string, by: readonly string[]): Promise<Asked> {
  const refs = await readRefs(await firstOf(dir, ...by.map((author) => `refs(${author}).p`)))
  const own = refs.filter((ref) => ref.split === split)
  if (own.length === 0) throw new EvaluationError(`The refs in ${dir} have none of the split '${split}'.`)
  const { images, annotations } = await readJson(await firstOf(dir, 'instances.json'), Instances)
  const names = new Map(images.map(({ id, file_name }) => [id, file_name]))
  const boxes = new Map(annotations.map(({ id, bbox }) => [id, bbox]))
  const folder = await MediaFolder.open(dir, 'image')
  const exam: Grounding = { task: 'grounding', cases: [] }
  for (const { ann_id, image_id, sentences } of own) {
    const [name, bbox] = [names.get(image_id), boxes.get(ann_id)]
    if (name === undefined || bbox === undefined) {
      throw new EvaluationError(`instances.json in ${dir} lacks the picture ${image_id} or the annotation ${ann_id}.`)
    }
    const path = folder.find(name)
    if (path === undefined) continue
    const [left, top, width, height] = bbox
    const box: Box = [left, top, left + width, top + height]
    exam.cases.push(...sentences.map(({ sent }) => ({ path, phrase: sent, box })))
  }
  return { exam, missing: [...new Set(folder.missing)] }
}

const dataSet = (name: string, title: string, splits: DataSet['splits'], by: readonly string[]): DataSet => ({
  name,
  title,
  splits,
  layout: `refs(${by[0]}).p, instances.json and the pictures of COCO's train2014, in any folder below`,
  read: (dir, split) => read(dir, split, by),
})

export const REFCOCO = dataSet('refcoco', 'RefCOCO', ['val', 'testA', 'testB'], ['unc'])
export const REFCOCO_PLUS = dataSet('refcoco+', 'RefCOCO+', ['val', 'testA', 'testB'], ['unc'])
/** The paper's splits are UMD's (`val-u`, `test-u`). */
export const REFCOCOG = dataSet('refcocog', 'RefCOCOg', ['val', 'test'], ['umd'])
