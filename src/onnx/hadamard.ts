/**
 * Rotations that spread a few large values over their neighbours, so that one scale suits them all better (QuaRot, 2024): blocks of
 * a row times a Hadamard matrix, orthogonal and symmetric. It is its own inverse: rotated rows times rotated weights are what
 * they were.
 */

/** The Hadamard matrix of `size` (a power of 2), (size, size) row-major, its rows of length 1. */
export function hadamard(size: number): number[] {
  const bits = (value: number): number => (value === 0 ? 0 : (value & 1) + bits(value >> 1))
  const entry = size ** -0.5
  return Array.from({ length: size * size }, (_, i) =>
    bits(Math.floor(i / size) & (i % size)) % 2 === 0 ? entry : -entry,
  )
}

/** Rotates each `size` consecutive values, in place: log2(size) times sums and differences of pairs that lie `half` apart. */
export function rotateBlocks(values: Float32Array, size: number): void {
  const entry = size ** -0.5
  for (let half = 1; half < size; half *= 2) {
    const scale = 2 * half === size ? entry : 1
    for (let start = 0; start < values.length; start += 2 * half) {
      for (let i = start; i < start + half; i++) {
        const a = values[i]!
        const b = values[i + half]!
        values[i] = (a + b) * scale
        values[i + half] = (a - b) * scale
      }
    }
  }
}
