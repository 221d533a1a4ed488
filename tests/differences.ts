/** Largest absolute difference of two arrays of equal length; throws if the lengths differ, so that a short array cannot pass. */
export function maxDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) throw new Error(`Arrays of ${a.length} and ${b.length} values cannot be compared.`)
  let max = 0
  for (let i = 0; i < a.length; i++) max = Math.max(max, Math.abs(a[i]! - b[i]!))
  return max
}
