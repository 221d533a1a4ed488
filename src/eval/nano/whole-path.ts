/**
 * A smaller part of the benchmark by the whole path: pictures stored as items of a collection, then searched by text and by
 * voice. The service's order is compared with the evaluator's, so that the larger figures, ranked by the evaluator on
 * embeddings, hold for searches as well.
 */
import { nearest, proportion, recalls } from '../metrics.ts'
import type { BenchmarkClient, Input } from './client.ts'
import type { Embedder } from './embedder.ts'
import type { Measured, Row } from './report.ts'
import { NO_SPEECH } from './retrieval.ts'
import type { Space, Vector } from './space.ts'
import { speak, type Voice } from './speech.ts'

const COLLECTION = 'bench-pictures'
const CONCEPTS = 200
const DEEPEST = 10
const CUTOFFS = [1, 5, 10]
const SPOKEN = 'by collection: spoken word → image'

/** A query, its place in the space, and the concept to find. */
interface Query {
  input: () => Input | Promise<Input>
  vector: Vector
  id: string
}

export async function wholePathRows(
  client: BenchmarkClient,
  embedder: Embedder,
  space: Space,
  picture: (hexcode: string) => Promise<Uint8Array>,
): Promise<Measured> {
  const concepts = spread(space.words.length, CONCEPTS).map((i) => conceptOf(space, i))
  await client.createCollection(COLLECTION)
  await embedder.each('storing pictures', concepts, async ({ id }) => client.put(COLLECTION, id, await picture(id)))

  const search = async (task: string, queries: Query[]) => {
    const found = await embedder.each(task, queries, async ({ input }) =>
      client.search(COLLECTION, await input(), DEEPEST),
    )
    const ranks = queries.map(({ id }, i) => found[i]!.indexOf(id)).map((rank) => (rank < 0 ? Infinity : rank))
    const setting = `${concepts.length} concepts, stored in a collection and searched`
    const own = queries.map(({ vector }) => idsNearest(vector, concepts))
    const row: Row = { task, setting, trials: ranks.length, figures: recalls(CUTOFFS, ranks, concepts.length) }
    return { row, same: own.filter((ids, i) => ids.join() === found[i]!.join()).length }
  }

  const texts = concepts.map(({ word, text, id }): Query => ({ input: () => word, vector: text, id }))
  const searches = [await search('by collection: text → image', texts)]
  const voice = space.speech?.voices[0]
  if (voice) {
    const spoken = concepts.map(
      ({ word, clip, id }): Query => ({ input: () => speakOne(word, voice), vector: clip!, id }),
    )
    searches.push(await search(SPOKEN, spoken))
  }
  const all = searches.reduce((sum, { row }) => sum + row.trials, 0)
  const same = searches.reduce((sum, each) => sum + each.same, 0)
  const agreement: Row = {
    task: 'by collection: same order as by embeddings',
    setting: `the ${DEEPEST} nearest of each search`,
    trials: all,
    figures: [proportion('identical', same, all)],
  }
  return {
    rows: [...searches.map(({ row }) => row), agreement],
    notMeasured: voice ? [] : [{ task: SPOKEN, reason: NO_SPEECH }],
  }
}

interface StoredConcept {
  id: string
  word: string
  text: Vector
  picture: Vector
  /** By the first voice. */
  clip: Vector | undefined
}

function conceptOf({ names, words, wordRows, wordTexts, pictures, speech }: Space, i: number): StoredConcept {
  const row = wordRows[i]!
  const [word, text, picture] = [words[i]!, wordTexts[i]!, pictures[row]!]
  return { id: names[row]!.hexcode, word, text, picture, clip: speech?.clips[0]?.[i] }
}

function idsNearest(query: Vector, concepts: readonly StoredConcept[]): string[] {
  const pictures = concepts.map(({ picture }) => picture)
  return nearest(query, pictures, DEEPEST).map((i) => concepts[i]!.id)
}

const speakOne = async (word: string, voice: Voice): Promise<Buffer> => (await speak([word], voice))[0]!

/** At most `most` of the numbers below `count`, evenly. */
function spread(count: number, most: number): number[] {
  const step = Math.max(1, count / most)
  return Array.from({ length: Math.min(count, most) }, (_, i) => Math.floor(i * step))
}
