/** What was probably meant by a name that does not exist. */

/** Of a name's letters, at most this share may be wrong. */
const TOLERANCE = 0.4

/** ` Did you mean 'x'?`, to be put behind a sentence, or nothing. */
export function didYouMean(given: string, known: readonly string[]): string {
  const near = known
    .map((name) => ({ name, distance: editDistance(given.toLowerCase(), name.toLowerCase()) }))
    .filter(({ name, distance }) => distance <= TOLERANCE * Math.max(given.length, name.length))
    .sort((a, b) => a.distance - b.distance)
  return near[0] ? ` Did you mean '${near[0].name}'?` : ''
}

/** Levenshtein's: insertions, deletions and replacements. */
function editDistance(a: string, b: string): number {
  let above = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = above[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      row.push(Math.min(replaced, above[j]! + 1, row[j - 1]! + 1))
    }
    above = row
  }
  return above[b.length]!
}
