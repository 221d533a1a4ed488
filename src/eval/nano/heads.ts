/**
 * Rows of the fine-tuned heads: grounding, questions about pictures and sounds, statements about pairs of pictures,
 * segmentation, classification; asked of scenes and sounds that hold held-out compositions.
 */
import { seeded } from '../../samples/synthesis.ts'
import {
  type Box,
  bootstrapped,
  boxIou,
  classIous,
  confusion,
  type Figure,
  mean,
  meanIou,
  proportion,
} from '../metrics.ts'
import type { OnProgress } from './embedder.ts'
import type { Row } from './report.ts'

/** One question, of a picture, a sound or a pair, with one right answer. */
export interface Asked {
  kind: string
  answer: string
  /** What guessing would give. */
  chance: number
}

export interface PhraseCase {
  picture: Uint8Array
  phrase: string
  kind: string
  box: Box
  /** What one would say without looking; the mean of what they reach is the chance. */
  guesses: readonly Box[]
}

export interface SegmentCase {
  picture: Uint8Array
  width: number
  height: number
  /** (height · width), row-major: 0 for the background, else 1 + class. */
  map: Uint8Array
}

export interface SegmentMap {
  width: number
  height: number
  map: Uint8Array
}

/** A few at a time is left to the service; heads run one sample at a time. */
async function eachInTurn<T, U>(
  step: string,
  cases: readonly T[],
  ask: (one: T) => Promise<U>,
  onProgress?: OnProgress,
): Promise<U[]> {
  const said: U[] = []
  for (const one of cases) {
    said.push(await ask(one))
    onProgress?.(step, said.length, cases.length)
  }
  return said
}

export interface HeadRun<T> {
  task: string
  /** What is new to the model. */
  setting: string
  cases: readonly T[]
  onProgress?: OnProgress | undefined
}

/** Share of right answers: over all, then for each kind of question if there are several. */
export async function answerRows<T extends Asked>(
  { task, setting, cases, onProgress }: HeadRun<T>,
  ask: (one: T) => Promise<string>,
): Promise<Row[]> {
  const said = await eachInTurn(task, cases, ask, onProgress)
  const rowOf = (part: string | undefined, indices: readonly number[]): Row => {
    const right = indices.filter((i) => said[i] === cases[i]!.answer).length
    const chance = mean(indices.map((i) => cases[i]!.chance))
    const figures = [proportion('accuracy', right, indices.length, chance)]
    return { task, ...(part !== undefined && { part }), setting, trials: indices.length, figures }
  }
  return byKind(cases, rowOf)
}

export interface GroundingResult {
  rows: Row[]
  /** Where each phrase was found. */
  boxes: Box[]
}

/** Share of phrases whose box overlaps the right one by half or more, and the mean overlap. */
export async function groundingRows(
  { task, setting, cases, onProgress }: HeadRun<PhraseCase>,
  ground: (one: PhraseCase) => Promise<Box>,
): Promise<GroundingResult> {
  const boxes = await eachInTurn(task, cases, ground, onProgress)
  const ious = cases.map(({ box }, i) => boxIou(box, boxes[i]!))
  const blind = cases.map(({ box, guesses }) => guesses.map((guess) => boxIou(box, guess)))
  const rowOf = (part: string | undefined, indices: readonly number[]): Row => {
    const hits = indices.filter((i) => ious[i]! >= 0.5).length
    const guessed = (score: (iou: number) => number) => mean(indices.map((i) => mean(blind[i]!.map(score))))
    const overlap = bootstrapped(
      indices.map((i) => ious[i]!),
      mean,
      seeded(1),
    )
    const figures: Figure[] = [
      proportion(
        'Acc@0.5',
        hits,
        indices.length,
        guessed((iou) => (iou >= 0.5 ? 1 : 0)),
      ),
      { measure: 'mean IoU', ...overlap, chance: guessed((iou) => iou) },
    ]
    return { task, ...(part !== undefined && { part }), setting, trials: indices.length, figures }
  }
  return { rows: byKind(cases, rowOf), boxes }
}

export interface SegmentationResult {
  rows: Row[]
  /** What each picture was said to show. */
  maps: SegmentMap[]
}

/** Mean over classes of intersection over union, pixels of all pictures together; then each class. Guessing: all background. */
export async function segmentationRows(
  { task, setting, cases, onProgress }: HeadRun<SegmentCase>,
  labels: readonly string[],
  segment: (one: SegmentCase) => Promise<SegmentMap>,
): Promise<SegmentationResult> {
  const maps = await eachInTurn(task, cases, segment, onProgress)
  const classes = labels.length
  const confusions = cases.map((one, i) => confusion(one.map, scaled(maps[i]!, one), classes))
  const blind = cases.map(({ map }) => confusion(map, new Uint8Array(map.length), classes))
  const figureOf = (measure: string, statistic: (of: readonly Float64Array[]) => number): Figure => ({
    measure,
    ...bootstrapped(confusions, statistic, seeded(1)),
    chance: statistic(blind),
  })
  const ious = classIous(confusions, classes)
  const perClass = labels.flatMap((part, at): Row[] => {
    if (Number.isNaN(ious[at])) return []
    const iou = figureOf('IoU', (of) => classIous(of, classes)[at] || 0)
    return [{ task, part, setting, trials: cases.length, figures: [iou] }]
  })
  const all = figureOf('mIoU', (of) => meanIou(of, classes))
  return { rows: [{ task, setting, trials: cases.length, figures: [all] }, ...perClass], maps }
}

/** Nearest neighbour, so that the answer has the picture's size. */
export function scaled(from: SegmentMap, to: { width: number; height: number }): Uint8Array {
  if (from.width === to.width && from.height === to.height) return from.map
  return Uint8Array.from({ length: to.width * to.height }, (_, i) => {
    const x = Math.floor((((i % to.width) + 0.5) * from.width) / to.width)
    const y = Math.floor(((Math.floor(i / to.width) + 0.5) * from.height) / to.height)
    return from.map[y * from.width + x]!
  })
}

function byKind(
  cases: readonly { kind: string }[],
  rowOf: (part: string | undefined, indices: readonly number[]) => Row,
): Row[] {
  const all = [...cases.keys()]
  const kinds = [...new Set(cases.map(({ kind }) => kind))]
  const rows = kinds.map((kind) =>
    rowOf(
      kind,
      all.filter((i) => cases[i]!.kind === kind),
    ),
  )
  return [rowOf(undefined, all), ...(kinds.length > 1 ? rows : [])]
}
