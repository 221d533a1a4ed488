/** Retrieval metrics. */

/** Share of queries whose right answer is among the first k, with its uncertainty. */
export interface Recall {
  k: number
  queries: number
  /** 0..1 */
  recall: number
  /** 95 % confidence interval, 0..1 */
  interval: [number, number]
  /** What guessing would give. */
  chance: number
}

/** `ranks`: place of the right answer of each query from 0, Infinity where it was not found among `candidates`. */
export function recallAt(k: number, ranks: readonly number[], candidates: number): Recall {
  const found = ranks.filter((rank) => rank < k).length
  return {
    k,
    queries: ranks.length,
    recall: found / ranks.length,
    interval: wilson(found, ranks.length),
    chance: Math.min(1, k / candidates),
  }
}

/** Wilson's score interval for `hits` of `trials`, 95 % (E. B. Wilson 1927). */
export function wilson(hits: number, trials: number): [number, number] {
  const z = 1.959964
  const p = hits / trials
  const centre = p + z ** 2 / (2 * trials)
  const spread = z * Math.sqrt((p * (1 - p)) / trials + z ** 2 / (4 * trials ** 2))
  const scale = 1 + z ** 2 / trials
  return [Math.max(0, (centre - spread) / scale), Math.min(1, (centre + spread) / scale)]
}
