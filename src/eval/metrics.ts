/** Measures of the benchmark, each with a 95 % confidence interval. Shares and means are 0..1. */

export type Interval = [low: number, high: number]

/** A figure of a report. */
export interface Figure {
  /** e.g. `R@1`, `accuracy`, `mean IoU` */
  measure: string
  /** 0..1 */
  value: number
  /** 95 % confidence interval, 0..1 */
  interval: Interval
  /** What guessing would give; absent where guessing has no meaning. */
  chance?: number
}

/** Share of `hits` among `trials`, with Wilson's interval. @throws RangeError if nothing was tried */
export function proportion(measure: string, hits: number, trials: number, chance?: number): Figure {
  if (trials === 0) throw new RangeError(`${measure} of no trial at all is no figure.`)
  return { measure, value: hits / trials, interval: wilson(hits, trials), ...(chance !== undefined && { chance }) }
}

/**
 * Share of queries whose right answer is among the first k, for each k.
 * @param ranks place of the right answer of each query from 0, Infinity where it was not found among `candidates`
 */
export function recalls(ks: readonly number[], ranks: readonly number[], candidates: number): Figure[] {
  return ks.map((k) => {
    const found = ranks.filter((rank) => rank < k).length
    return proportion(`R@${k}`, found, ranks.length, Math.min(1, k / candidates))
  })
}

/** Chance that among `k` of `candidates` drawn at random is one of the `right` ones. */
export function chanceOfHit(k: number, right: number, candidates: number): number {
  let miss = 1
  for (let drawn = 0; drawn < k && miss > 0; drawn++) miss *= Math.max(0, 1 - right / (candidates - drawn))
  return 1 - miss
}

/**
 * Area under the steps of precision over recall: Σ (R_n − R_{n−1}) P_n over the distinct scores from the highest, as scikit-learn's
 * `average_precision_score` has it. NaN where nothing is right.
 */
export function averagePrecision(scores: readonly number[], isRight: readonly boolean[]): number {
  const order = [...scores.keys()].sort((a, b) => scores[b]! - scores[a]!)
  let [hits, area] = [0, 0]
  for (let from = 0, to = 0; from < order.length; from = to) {
    const before = hits
    for (; to < order.length && scores[order[to]!] === scores[order[from]!]; to++) hits += isRight[order[to]!] ? 1 : 0
    area += ((hits - before) * hits) / to
  }
  return area / hits
}

/** Wilson's score interval for `hits` of `trials`, 95 % (E. B. Wilson 1927). */
export function wilson(hits: number, trials: number): Interval {
  const z = 1.959964
  const p = hits / trials
  const centre = p + z ** 2 / (2 * trials)
  const spread = z * Math.sqrt((p * (1 - p)) / trials + z ** 2 / (4 * trials ** 2))
  const scale = 1 + z ** 2 / trials
  return [Math.max(0, (centre - spread) / scale), Math.min(1, (centre + spread) / scale)]
}

const RESAMPLES = 1_000

/**
 * A statistic of a sample, with the percentile bootstrap's interval (Efron 1979): the same statistic of 1,000 samples drawn
 * from this one with replacement. `chance` draws numbers in 0..1; seed it, so that a report can be had again.
 */
export function bootstrapped<T>(
  sample: readonly T[],
  statistic: (sample: readonly T[]) => number,
  chance: () => number,
) {
  const value = statistic(sample)
  const redrawn = Array.from({ length: RESAMPLES }, () =>
    statistic(sample.map(() => sample[Math.floor(chance() * sample.length)]!)),
  ).sort((a, b) => a - b)
  const interval: Interval = [redrawn[Math.floor(0.025 * RESAMPLES)]!, redrawn[Math.ceil(0.975 * RESAMPLES) - 1]!]
  return { value, interval }
}

export const mean = (values: readonly number[]): number => values.reduce((sum, x) => sum + x, 0) / values.length

/** Cosine of two unit vectors. Four sums side by side, as one would wait for itself: it is what ranking COCO consists of. */
export function dot(a: Float32Array, b: Float32Array): number {
  let [s0, s1, s2, s3] = [0, 0, 0, 0]
  let d = 0
  for (; d + 3 < a.length; d += 4) {
    s0 += a[d]! * b[d]!
    s1 += a[d + 1]! * b[d + 1]!
    s2 += a[d + 2]! * b[d + 2]!
    s3 += a[d + 3]! * b[d + 3]!
  }
  for (; d < a.length; d++) s0 += a[d]! * b[d]!
  return s0 + s1 + (s2 + s3)
}

/** How many candidates are as near to the query as the right one or nearer: a tie counts against it. */
export function rankAmong(query: Float32Array, candidates: readonly Float32Array[], right: number): number {
  const bar = dot(query, candidates[right]!)
  return candidates.filter((candidate, i) => i !== right && dot(query, candidate) >= bar).length
}

/** Indices of the k nearest candidates, best first. */
export function nearest(query: Float32Array, candidates: readonly Float32Array[], k: number): number[] {
  const scored = candidates.map((candidate, i) => [dot(query, candidate), i] as const)
  return scored
    .sort(([a], [b]) => b - a)
    .slice(0, k)
    .map(([, i]) => i)
}

/** x1, y1, x2, y2: left, top, right, bottom, in any unit. */
export type Box = readonly [x1: number, y1: number, x2: number, y2: number]

/** Intersection over union of two boxes, 0..1. */
export function boxIou(a: Box, b: Box): number {
  const shared = area([Math.max(a[0], b[0]), Math.max(a[1], b[1]), Math.min(a[2], b[2]), Math.min(a[3], b[3])])
  return shared === 0 ? 0 : shared / (area(a) + area(b) - shared)
}

const area = ([x1, y1, x2, y2]: Box): number => Math.max(0, x2 - x1) * Math.max(0, y2 - y1)

/** Pixels of one picture: `counts[truth * classes + said]`. */
export function confusion(truth: Uint8Array, said: Uint8Array, classes: number): Float64Array {
  if (truth.length !== said.length)
    throw new RangeError(`Maps of ${truth.length} and ${said.length} pixels cannot be compared.`)
  const counts = new Float64Array(classes * classes)
  for (let i = 0; i < truth.length; i++) counts[truth[i]! * classes + said[i]!]! += 1
  return counts
}

/** Intersection over union of each class over all pictures together; NaN for a class that neither truth nor answer has. */
export function classIous(confusions: readonly Float64Array[], classes: number): number[] {
  const of = (row: number, column: number) =>
    confusions.reduce((sum, counts) => sum + counts[row * classes + column]!, 0)
  const all = Array.from({ length: classes }, (_, i) => i)
  const table = all.map((row) => all.map((column) => of(row, column)))
  return all.map((i) => {
    const union = all.reduce((sum, j) => sum + table[i]![j]! + table[j]![i]!, 0) - table[i]![i]!
    return table[i]![i]! / union // 0 / 0 where the class is nowhere
  })
}

/** Mean over the classes that are there. */
export function meanIou(confusions: readonly Float64Array[], classes: number): number {
  return mean(classIous(confusions, classes).filter((iou) => !Number.isNaN(iou)))
}
