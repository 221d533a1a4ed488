/**
 * Maximal marginal relevance (Carbonell & Goldstein, SIGIR 1998): hits are picked one by one, each for being near the query and
 * far from those already picked:  argmax (1 - λ) · score - λ · max cosine to the picked.
 */
import { setImmediate } from 'node:timers/promises'
import { cosine } from './embed.ts'

/** After as many products, whoever else waits has a turn: some ms. */
const PRODUCTS_PER_TURN = 5_000_000

export interface Candidate {
  /** Cosine to the query. */
  score: number
  /** Unit vector float32 (D). */
  embedding: Float32Array
}

/** @param diversity λ, 0 (the order of the scores) to 1. @returns at most `count` of the candidates, in order of picking */
export async function diversified<T extends Candidate>(
  candidates: readonly T[],
  count: number,
  diversity: number,
): Promise<T[]> {
  let products = 0
  const left = candidates.map((candidate) => ({ candidate, nearest: -1 }))
  const picked: T[] = []
  while (picked.length < count && left.length > 0) {
    const gain = ({ candidate, nearest }: (typeof left)[number]) =>
      (1 - diversity) * candidate.score - (picked.length > 0 ? diversity * nearest : 0)
    const best = left.reduce((a, b, i) => (gain(b) > gain(left[a]!) ? i : a), 0)
    const [{ candidate }] = left.splice(best, 1) as [(typeof left)[number]]
    picked.push(candidate)
    for (const each of left)
      each.nearest = Math.max(each.nearest, cosine(each.candidate.embedding, candidate.embedding))
    products += left.length * candidate.embedding.length
    if (products < PRODUCTS_PER_TURN) continue
    products = 0
    await setImmediate()
  }
  return picked
}
