/** Questions with one right answer among several, and phrases with one right box: the share that the model's heads get right. */
import { fileAt } from 'onepeace-client/node'
import type { Choice, Grounding } from '../data-sets/data-set.ts'
import { type Box, boxIou, mean } from '../metrics.ts'
import { assertAny, collect, fileKey, type Run } from './collect.ts'
import { type ResultRow, shareRow } from './result.ts'

/** Phrases of one picture that are asked at once. */
const PHRASES_A_REQUEST = 64
/** The paper's bar: the box overlaps the right one by half or more. */
const ENOUGH = 0.5

export async function choiceRows({ cases }: Choice, run: Run): Promise<ResultRow[]> {
  const { client, head, signal } = run
  const answers = await collect<Choice['cases'][number], string>(run, {
    entries: cases,
    keyOf: async ({ path, question, candidates }) =>
      `ask|${await fileKey(run, path)}|${JSON.stringify([question, candidates])}`,
    fileOf: ({ path }) => path,
    perRequest: 1,
    ask: async ([one]) => {
      const { path, question, candidates } = one!
      const options = { candidates, ...(head !== undefined && { head }) }
      const { answers } = await client.ask(await fileAt(path), question, options, signal && { signal })
      return [answers[0]!.answer]
    },
  })
  const told = cases.filter((_, i) => answers[i] !== undefined)
  assertAny(told.length)
  const hits = cases.filter(({ candidates, answer }, i) => answers[i] === candidates[answer]).length
  const chance = mean(told.map(({ candidates }) => 1 / candidates.length))
  return [shareRow('answers', 'accuracy', hits, told.length, chance)]
}

export async function groundingRows({ cases }: Grounding, run: Run): Promise<ResultRow[]> {
  const { client, head, signal } = run
  const requests = requestsOf(cases)
  const found = await collect<PictureRequest, Box[]>(run, {
    entries: requests,
    keyOf: async ({ path, phrases }) => `ground|${await fileKey(run, path)}|${JSON.stringify(phrases)}`,
    fileOf: ({ path }) => path,
    perRequest: 1,
    ask: async ([one]) => {
      const { path, phrases } = one!
      const options = head === undefined ? {} : { head }
      const { results } = await client.ground(await fileAt(path), phrases, options, signal && { signal })
      return [results.map(({ box: { x1, y1, x2, y2 } }): Box => [x1, y1, x2, y2])]
    },
  })
  const overlaps = requests.flatMap(({ boxes }, i) => (found[i] ?? []).map((box, at) => boxIou(box, boxes[at]!)))
  assertAny(overlaps.length)
  const hits = overlaps.filter((overlap) => overlap >= ENOUGH).length
  return [
    shareRow('phrases', 'Acc@0.5', hits, overlaps.length),
    { task: 'phrases', measure: 'mean IoU', trials: overlaps.length, value: mean(overlaps) },
  ]
}

interface PictureRequest {
  path: string
  phrases: string[]
  /** The right one of each phrase. */
  boxes: Box[]
}

/** How many requests an exam of phrases takes. */
export const groundingRequests = ({ cases }: Grounding): number => requestsOf(cases).length

/** Phrases of the same picture together: it is decoded once for them all. */
function requestsOf(cases: Grounding['cases']): PictureRequest[] {
  const requests: PictureRequest[] = []
  const open = new Map<string, PictureRequest>()
  for (const { path, phrase, box } of cases) {
    let request = open.get(path)
    if (!request || request.phrases.length === PHRASES_A_REQUEST) {
      request = { path, phrases: [], boxes: [] }
      open.set(path, request)
      requests.push(request)
    }
    request.phrases.push(phrase)
    request.boxes.push(box)
  }
  return requests
}
