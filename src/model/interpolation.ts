/**
 * Position tables for other picture sizes, exactly as the official loader makes them: bicubic for the absolute table,
 * a geometric grid with a cubic spline for the relative one. Sources: adapter/image.py:115-186.
 */

/** torch's bicubic kernel constant (`interpolate(mode="bicubic")`); Pillow's and the paper's figures differ. */
const BICUBIC_A = -0.75

function cubicWeight(distance: number): number {
  const x = Math.abs(distance)
  const a = BICUBIC_A
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1
  if (x < 2) return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
  return 0
}

/**
 * For each of `to` outputs, four border-clamped source indices and their weights. The source coordinate is rounded to
 * float32 at each step because torch computes it so; in float64 the result would differ by 4e-6.
 */
function bicubicTaps(from: number, to: number): { indices: number[]; weights: number[] }[] {
  const scale = Math.fround(from / to)
  return Array.from({ length: to }, (_, out) => {
    const center = Math.fround(Math.fround(scale * (out + 0.5)) - 0.5)
    const base = Math.floor(center)
    const offsets = [base - 1, base, base + 1, base + 2]
    return {
      indices: offsets.map((index) => Math.min(Math.max(index, 0), from - 1)),
      weights: offsets.map((index) => cubicWeight(center - index)),
    }
  })
}

/**
 * Absolute positions (b²+1, D) of a b × b grid resized to g × g: torch bicubic, corners not aligned, no antialias; the
 * CLS row is kept.
 */
export function resizePosEmbed(posEmbed: Float32Array, from: number, to: number, embedDim: number): Float32Array {
  if (from === to) return posEmbed
  const out = new Float32Array((to * to + 1) * embedDim)
  out.set(posEmbed.subarray(0, embedDim))
  const taps = bicubicTaps(from, to)
  for (let y = 0; y < to; y++) {
    for (let x = 0; x < to; x++) {
      const target = (1 + y * to + x) * embedDim
      for (let d = 0; d < embedDim; d++) {
        let sum = 0
        for (let i = 0; i < 4; i++) {
          const row = taps[y]!.indices[i]! * from
          let inner = 0
          for (let j = 0; j < 4; j++) {
            inner += taps[x]!.weights[j]! * posEmbed[(1 + row + taps[x]!.indices[j]!) * embedDim + d]!
          }
          sum += taps[y]!.weights[i]! * inner
        }
        out[target + d] = sum
      }
    }
  }
  return out
}

/**
 * Ratio q of the geometric grid: bisection in [1.01, 1.5] until the interval is at most 1e-6; the *last midpoint
 * evaluated* counts, not the interval's end.
 */
function geometricRatio(steps: number, reach: number): number {
  let left = 1.01
  let right = 1.5
  let q = left
  while (right - left > 1e-6) {
    q = (left + right) / 2
    const sum = (1 - q ** steps) / (1 - q)
    if (sum > reach) right = q
    else left = q
  }
  return q
}

/** Source coordinates 0, ±1, ±(1+q), ±(1+q+q²), … ascending. */
function geometricCoordinates(count: number, reach: number): number[] {
  const steps = Math.floor(count / 2)
  const q = geometricRatio(steps, reach)
  const positive: number[] = []
  for (let i = 0, at = 0; i < steps; i++) {
    at += q ** i
    positive.push(at)
  }
  return [...positive.map((x) => -x).reverse(), 0, ...positive]
}

/**
 * Weights (targets × sources) of the interpolating cubic spline through `xs`, not-a-knot at both ends, evaluated at
 * `targets` clamped to the range of `xs`. A spline is linear in its values, so the spline of each unit vector is a column.
 */
function splineWeights(xs: readonly number[], targets: readonly number[]): Float64Array[] {
  const n = xs.length
  const columns = Array.from({ length: n }, (_, unit) => {
    const ys = xs.map((_, index) => (index === unit ? 1 : 0))
    const second = notAKnotSecondDerivatives(xs, ys)
    return targets.map((target) => evaluateSpline(xs, ys, second, target))
  })
  return targets.map((_, row) => Float64Array.from(columns, (column) => column[row]!))
}

/** Second derivatives at the knots: continuity inside, third derivative continuous at the second and last but one. */
function notAKnotSecondDerivatives(xs: readonly number[], ys: readonly number[]): number[] {
  const n = xs.length
  if (n === 3) return parabola(xs, ys)
  const h = xs.slice(1).map((x, i) => x - xs[i]!)
  const matrix = Array.from({ length: n }, () => new Float64Array(n + 1))
  for (let i = 1; i < n - 1; i++) {
    matrix[i]!.set([h[i - 1]! / 6, (h[i - 1]! + h[i]!) / 3, h[i]! / 6], i - 1)
    matrix[i]![n] = (ys[i + 1]! - ys[i]!) / h[i]! - (ys[i]! - ys[i - 1]!) / h[i - 1]!
  }
  matrix[0]!.set([h[1]!, -(h[0]! + h[1]!), h[0]!], 0)
  matrix[n - 1]!.set([h[n - 2]!, -(h[n - 3]! + h[n - 2]!), h[n - 3]!], n - 3)
  return solve(matrix)
}

/** With three knots, not-a-knot leaves one parabola. */
function parabola(xs: readonly number[], ys: readonly number[]): number[] {
  const slopes = [0, 1].map((i) => (ys[i + 1]! - ys[i]!) / (xs[i + 1]! - xs[i]!))
  return Array<number>(3).fill((2 * (slopes[1]! - slopes[0]!)) / (xs[2]! - xs[0]!))
}

/** Gaussian elimination with partial pivoting of an n × (n+1) augmented matrix. */
function solve(matrix: Float64Array[]): number[] {
  const n = matrix.length
  for (let column = 0; column < n; column++) {
    let pivot = column
    for (let row = column; row < n; row++) {
      if (Math.abs(matrix[row]![column]!) > Math.abs(matrix[pivot]![column]!)) pivot = row
    }
    ;[matrix[column], matrix[pivot]] = [matrix[pivot]!, matrix[column]!]
    for (let row = column + 1; row < n; row++) {
      const factor = matrix[row]![column]! / matrix[column]![column]!
      for (let k = column; factor !== 0 && k <= n; k++) matrix[row]![k]! -= factor * matrix[column]![k]!
    }
  }
  const solution = new Array<number>(n).fill(0)
  for (let row = n - 1; row >= 0; row--) {
    let sum = matrix[row]![n]!
    for (let k = row + 1; k < n; k++) sum -= matrix[row]![k]! * solution[k]!
    solution[row] = sum / matrix[row]![row]!
  }
  return solution
}

function evaluateSpline(
  xs: readonly number[],
  ys: readonly number[],
  second: readonly number[],
  target: number,
): number {
  const x = Math.min(Math.max(target, xs[0]!), xs.at(-1)!)
  let i = 0
  while (i < xs.length - 2 && x > xs[i + 1]!) i++
  const h = xs[i + 1]! - xs[i]!
  const a = (xs[i + 1]! - x) / h
  const b = 1 - a
  const bend = ((a ** 3 - a) * second[i]! + (b ** 3 - b) * second[i + 1]!) * (h * h)
  return a * ys[i]! + b * ys[i + 1]! + bend / 6
}

/**
 * Relative table ((2·from-1)²+3, H) of one grid enlarged to ((2·to-1)²+3, H): each head's map is resampled from a
 * geometric grid by a tensor-product cubic spline; the three CLS rows are kept. Only enlarging is defined.
 */
export function enlargeRelPosTable(table: Float32Array, from: number, to: number, heads: number): Float32Array {
  if (from === to) return table
  const [src, dst] = [2 * from - 1, 2 * to - 1]
  const reach = Math.floor(dst / 2)
  const xs = geometricCoordinates(src, reach)
  const weights = splineWeights(
    xs,
    Array.from({ length: dst }, (_, i) => i - reach),
  )
  const out = new Float32Array((dst * dst + 3) * heads)
  for (let head = 0; head < heads; head++) {
    const grid = Float64Array.from({ length: src * src }, (_, cell) => table[cell * heads + head]!)
    const resized = separable(grid, src, weights)
    for (let cell = 0; cell < dst * dst; cell++) out[cell * heads + head] = resized[cell]!
  }
  out.set(table.subarray(src * src * heads), dst * dst * heads)
  return out
}

/** W · G · Wᵀ for a square grid G (n × n) and weights W (m × n). */
function separable(grid: Float64Array, n: number, weights: readonly Float64Array[]): Float64Array {
  const m = weights.length
  const rows = new Float64Array(m * n)
  for (let i = 0; i < m; i++) {
    for (let k = 0; k < n; k++) for (let j = 0; j < n; j++) rows[i * n + j]! += weights[i]![k]! * grid[k * n + j]!
  }
  const out = new Float64Array(m * m)
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < m; j++) for (let k = 0; k < n; k++) out[i * m + j]! += weights[j]![k]! * rows[i * n + k]!
  }
  return out
}
