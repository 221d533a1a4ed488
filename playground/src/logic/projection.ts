/** Vectors to a plane: the two directions in which they differ most (principal components), by subspace iteration. */

const ITERATIONS = 60

export interface ProjectOptions {
  /** Group of each vector; groups are moved onto one mean first, so that what differs is not the group itself. */
  groups?: readonly string[] | undefined
}

/**
 * @param vectors N of D values
 * @returns N points; the larger side of the rectangle around them is -1 to 1, the other as it is, both centred on 0. The same
 *   vectors always make the same points.
 */
export function project(vectors: readonly (readonly number[])[], options: ProjectOptions = {}): [number, number][] {
  if (vectors.length === 0) return []
  const rows = centred(vectors, options.groups ?? vectors.map(() => ''))
  const axes = principalAxes(rows)
  const points = rows.map((row) => axes.map((axis) => dot(row, axis)) as [number, number])
  return framed(points)
}

function framed(points: readonly [number, number][]): [number, number][] {
  const sides = [0, 1].map((axis) => {
    const values = points.map((point) => point[axis]!)
    const [low, high] = [Math.min(...values), Math.max(...values)]
    return { middle: (low + high) / 2, reach: (high - low) / 2 }
  })
  const reach = Math.max(sides[0]!.reach, sides[1]!.reach, Number.MIN_VALUE)
  return points.map(([x, y]) => [(x - sides[0]!.middle) / reach, (y - sides[1]!.middle) / reach])
}

function centred(vectors: readonly (readonly number[])[], groups: readonly string[]): Float64Array[] {
  const dims = vectors[0]!.length
  const means = new Map<string, { sum: Float64Array; count: number }>()
  vectors.forEach((vector, i) => {
    const mean = means.get(groups[i]!) ?? { sum: new Float64Array(dims), count: 0 }
    for (let d = 0; d < dims; d++) mean.sum[d]! += vector[d]!
    mean.count++
    means.set(groups[i]!, mean)
  })
  return vectors.map((vector, i) => {
    const { sum, count } = means.get(groups[i]!)!
    return Float64Array.from(vector, (value, d) => value - sum[d]! / count)
  })
}

/** Two orthonormal vectors v with the largest |Xv|; Xᵀ(Xv) again and again, made orthonormal each time. */
function principalAxes(rows: readonly Float64Array[]): [Float64Array, Float64Array] {
  const dims = rows[0]!.length
  // Any start that is not orthogonal to what is sought will do; a fixed one makes the same map each time.
  let first = unit(Float64Array.from({ length: dims }, (_, d) => Math.sin(d + 1)))
  let second = unit(Float64Array.from({ length: dims }, (_, d) => Math.cos(3 * d + 1)))
  for (let i = 0; i < ITERATIONS; i++) {
    first = unit(spread(rows, first))
    second = unit(without(spread(rows, second), first))
  }
  return [first, second]
}

function spread(rows: readonly Float64Array[], axis: Float64Array): Float64Array {
  const sum = new Float64Array(axis.length)
  for (const row of rows) {
    const along = dot(row, axis)
    for (let d = 0; d < sum.length; d++) sum[d]! += along * row[d]!
  }
  return sum
}

function without(vector: Float64Array, axis: Float64Array): Float64Array {
  const along = dot(vector, axis)
  return vector.map((value, d) => value - along * axis[d]!)
}

function unit(vector: Float64Array): Float64Array {
  const length = Math.sqrt(dot(vector, vector))
  return length === 0 ? vector : vector.map((value) => value / length)
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let d = 0; d < a.length; d++) sum += a[d]! * b[d]!
  return sum
}

export type Direction = 'left' | 'right' | 'up' | 'down'

/** The nearest point ahead, where to be aside counts twice; the one it started from if there is none. y grows upwards. */
export function neighbour(points: readonly [number, number][], from: number, direction: Direction): number {
  const [x, y] = points[from]!
  const ahead = { left: [-1, 0], right: [1, 0], up: [0, 1], down: [0, -1] }[direction] as [number, number]
  let best = from
  let bestDistance = Number.POSITIVE_INFINITY
  points.forEach(([px, py], i) => {
    const [dx, dy] = [px - x, py - y]
    const forward = dx * ahead[0] + dy * ahead[1]
    const aside = Math.abs(dx * ahead[1] - dy * ahead[0])
    const distance = forward + 2 * aside
    if (forward <= 0 || distance >= bestDistance) return
    best = i
    bestDistance = distance
  })
  return best
}
