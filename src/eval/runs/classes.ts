/**
 * Classes of media: one each (accuracy, and whether it is among the first five) or several (mean average precision). Asked of a
 * fine-tuned head if one is named, else zero-shot: the cosines of a file and of a sentence for each label.
 */
import { fileAt } from 'onepeace-client/node'
import type { Classes, Classification, Tagging } from '../data-sets/data-set.ts'
import { EvaluationError } from '../evaluation-error.ts'
import { averagePrecision, dot, mean } from '../metrics.ts'
import { assertAny, collect, embedFiles, embedTexts, fileKey, type Run } from './collect.ts'
import { type ResultRow, shareRow } from './result.ts'

const TOP = 5
/** With fewer labels, to be among the first five says little. */
const LABELS_FOR_TOP = 20

export async function classificationRows({ media, classes }: Classification, run: Run): Promise<ResultRow[]> {
  const scores = await scoresOf(
    media.map(({ path }) => path),
    classes,
    run,
  )
  const ranks = scores.flatMap((each, i) => (each ? [rankOf(each, media[i]!.label)] : []))
  const count = classes.labels.length
  const row = (measure: string, k: number) =>
    shareRow('classes', measure, ranks.filter((rank) => rank < k).length, ranks.length, k / count)
  return [row('accuracy', 1), ...(count >= LABELS_FOR_TOP ? [row('top-5 accuracy', TOP)] : [])]
}

export async function taggingRows({ media, classes }: Tagging, run: Run): Promise<ResultRow[]> {
  const found = await scoresOf(
    media.map(({ path }) => path),
    classes,
    run,
  )
  const heard = [...found.keys()].filter((i) => found[i])
  const precisions = classes.labels.map((_, label) =>
    averagePrecision(
      heard.map((i) => found[i]![label]!),
      heard.map((i) => media[i]!.labels.includes(label)),
    ),
  )
  // A class that no file has cannot be found; in the whole data set there is none.
  const present = precisions.filter((precision) => !Number.isNaN(precision))
  return [{ task: 'classes', measure: 'mAP', trials: heard.length, value: mean(present) }]
}

/** How many others score as high as the right one: a tie counts against it. */
function rankOf(scores: readonly number[], right: number): number {
  return scores.filter((score, i) => i !== right && score >= scores[right]!).length
}

/** Of each file a score for each label. */
async function scoresOf(paths: readonly string[], classes: Classes, run: Run): Promise<(number[] | undefined)[]> {
  const scores = await (run.head === undefined ? zeroShot(paths, classes, run) : byHead(paths, classes, run.head, run))
  assertAny(scores.filter((each) => each !== undefined).length)
  return scores
}

async function zeroShot(paths: readonly string[], { labels, template }: Classes, run: Run) {
  const prompts = await embedTexts(
    run,
    labels.map((label) => template.replace('{}', label)),
  )
  const files = await embedFiles(run, paths)
  return files.map((file) => file && prompts.map((prompt) => dot(file, prompt)))
}

async function byHead(paths: readonly string[], classes: Classes, head: string, run: Run) {
  const order = await orderOf(head, classes, run)
  return collect<string, number[]>(run, {
    entries: paths,
    keyOf: async (path) => `classify|${await fileKey(run, path)}`,
    fileOf: (path) => path,
    perRequest: 1,
    ask: async ([path]) => {
      const { results } = await run.client.classify(await fileAt(path!), { head }, run.signal && { signal: run.signal })
      const scores = new Map(results.map(({ label, score }) => [label, score]))
      return [order.map((label) => scores.get(label)!)]
    },
  })
}

/** What the head calls each of the data set's labels. @throws EvaluationError if it does not know them */
async function orderOf(head: string, { labels, isOrdered }: Classes, { client }: Run): Promise<string[]> {
  const { data } = await client.models()
  const details = data[0]!.head_details.find(({ name }) => name === head)
  if (!details) {
    const has = data[0]!.heads.join(', ') || 'none'
    throw new EvaluationError(`The model has no head '${head}'; it has ${has}. Without --head it is asked zero-shot.`)
  }
  if (!details.labels) {
    if (isOrdered && details.classes === labels.length) return labels.map((_, i) => String(i))
    throw new EvaluationError(
      `The head '${head}' does not tell its labels. Convert it with a file of labels beside its checkpoint (docs/official-weights.md).`,
    )
  }
  const known = new Map(details.labels.map((label) => [plain(label), label]))
  const unknown = labels.filter((label) => !known.has(plain(label)))
  if (unknown.length === 0) return labels.map((label) => known.get(plain(label))!)
  const some = unknown.slice(0, 3).join(', ')
  throw new EvaluationError(`The head '${head}' is for other classes: it knows no ${some}.`)
}

/** Labels are written with bars and capitals here, without them there. */
const plain = (label: string) => label.toLowerCase().replaceAll('_', ' ').trim()
