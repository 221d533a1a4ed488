/** Retrieval both ways: R@1, R@5, R@10 of media by texts and of texts by media, as the reference counts them (spec §14). */
import type { Retrieval } from '../data-sets/data-set.ts'
import { chanceOfHit } from '../metrics.ts'
import { assertAny, embedFiles, embedTexts, type Run } from './collect.ts'
import { crossRanks } from './ranking.ts'
import { type ResultRow, shareRow } from './result.ts'

const CUTOFFS = [1, 5, 10]
const NAMES = { image: 'image', audio: 'sound' }

export async function retrievalRows(exam: Retrieval, run: Run): Promise<ResultRow[]> {
  const found = await embedFiles(run, exam.media)
  const place = new Map([...found.keys()].filter((i) => found[i]).map((i, at) => [i, at]))
  const texts = exam.texts.filter(({ of }) => place.has(of))
  assertAny(texts.length)
  const media = found.filter((vector) => vector !== undefined)
  const of = texts.map((text) => place.get(text.of)!)
  const said = await embedTexts(
    run,
    texts.map(({ text }) => text),
  )
  const { ofMedia, ofTexts } = await crossRanks(media, said, of, run.signal)
  const medium = NAMES[exam.kind]
  return [
    ...recallRows(`${medium} → text`, ofMedia, said.length, said.length / media.length),
    ...recallRows(`text → ${medium}`, ofTexts, media.length, 1),
  ]
}

/** @param right of the candidates, for a query, on average */
function recallRows(task: string, ranks: readonly number[], candidates: number, right: number): ResultRow[] {
  return CUTOFFS.map((k) => {
    const hits = ranks.filter((rank) => rank < k).length
    return shareRow(task, `R@${k}`, hits, ranks.length, chanceOfHit(Math.min(k, candidates), right, candidates))
  })
}
