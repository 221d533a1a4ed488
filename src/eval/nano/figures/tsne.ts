/**
 * t-SNE: points of many dimensions on a plane, near ones kept near (van der Maaten and Hinton 2008). Exact, for a few
 * hundred points; seeded, so that the same points give the same map.
 */
import { dot } from '../../metrics.ts'

export interface TsneOptions {
  /** About how many neighbours a point has. */
  perplexity: number
  chance: () => number
  steps?: number
}

const EXAGGERATION = 6
/** Share of the steps in which attraction is exaggerated, so that clusters can pass each other. */
const EARLY = 0.25

/** Places in -1..1 on both axes. @param vectors unit vectors */
export function tsne(
  vectors: readonly Float32Array[],
  { perplexity, chance, steps = 800 }: TsneOptions,
): [number, number][] {
  const n = vectors.length
  const attraction = jointAffinities(vectors, perplexity)
  const place = Float64Array.from({ length: 2 * n }, () => 1e-2 * (chance() - 0.5))
  const velocity = new Float64Array(2 * n)
  const rate = Math.max(10, n / EXAGGERATION)
  for (let step = 0; step < steps; step++) {
    const early = step < EARLY * steps
    const slope = gradient(place, attraction, early ? EXAGGERATION : 1)
    for (let i = 0; i < 2 * n; i++) {
      velocity[i] = (early ? 0.5 : 0.8) * velocity[i]! - rate * slope[i]!
      place[i]! += velocity[i]!
    }
  }
  return normalised(place)
}

/** P of the paper, eq. 1 and §3.1: (n, n), symmetric, sum 1. */
function jointAffinities(vectors: readonly Float32Array[], perplexity: number): Float64Array {
  const n = vectors.length
  const joint = new Float64Array(n * n)
  for (let i = 0; i < n; i++) {
    const squares = vectors.map((other) => 2 - 2 * dot(vectors[i]!, other)) // of unit vectors
    const row = conditional(squares, i, Math.log(perplexity))
    for (let j = 0; j < n; j++) {
      joint[i * n + j]! += row[j]! / (2 * n)
      joint[j * n + i]! += row[j]! / (2 * n)
    }
  }
  return joint
}

/** Gaussian neighbourhood whose entropy, in nats, is the given one; its precision is found by bisection. */
function conditional(squares: readonly number[], self: number, entropy: number): number[] {
  let [low, high, precision] = [0, Number.POSITIVE_INFINITY, 1]
  let row: number[] = []
  for (let attempt = 0; attempt < 60; attempt++) {
    const weights = squares.map((square, j) => (j === self ? 0 : Math.exp(-precision * square)))
    const sum = weights.reduce((a, b) => a + b, 0)
    row = weights.map((weight) => weight / sum)
    const now = row.reduce((h, p) => (p > 0 ? h - p * Math.log(p) : h), 0)
    if (now > entropy) low = precision
    else high = precision
    precision = high === Number.POSITIVE_INFINITY ? 2 * precision : (low + high) / 2
  }
  return row
}

/** Of the divergence between P and the plane's Student-t affinities, eq. 5. */
function gradient(place: Float64Array, attraction: Float64Array, exaggeration: number): Float64Array {
  const n = place.length / 2
  const kernel = new Float64Array(n * n)
  let sum = 0
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < i; j++) {
      const [dx, dy] = [place[2 * i]! - place[2 * j]!, place[2 * i + 1]! - place[2 * j + 1]!]
      kernel[i * n + j] = 1 / (1 + dx * dx + dy * dy)
      sum += 2 * kernel[i * n + j]!
    }
  }
  const slope = new Float64Array(2 * n)
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < i; j++) {
      const k = kernel[i * n + j]!
      const pull = 4 * (exaggeration * attraction[i * n + j]! - k / sum) * k
      for (const axis of [0, 1]) {
        const push = pull * (place[2 * i + axis]! - place[2 * j + axis]!)
        slope[2 * i + axis]! += push
        slope[2 * j + axis]! -= push
      }
    }
  }
  return slope
}

function normalised(place: Float64Array): [number, number][] {
  const axis = (offset: number) => {
    const values = Array.from({ length: place.length / 2 }, (_, i) => place[2 * i + offset]!)
    const [low, high] = [Math.min(...values), Math.max(...values)]
    return values.map((value) => (2 * (value - low)) / (high - low || 1) - 1)
  }
  const [xs, ys] = [axis(0), axis(1)]
  return xs.map((x, i) => [x, ys[i]!])
}
