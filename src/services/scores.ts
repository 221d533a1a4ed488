/** From a head's logits to probabilities, and to the classes of a picture's parts. */

/** exp(x) over the sum of all exp, in float64. */
export function softmax(logits: ArrayLike<number>): number[] {
  const values = Array.from(logits)
  const largest = Math.max(...values)
  const powers = values.map((x) => Math.exp(x - largest))
  const sum = powers.reduce((total, power) => total + power, 0)
  return powers.map((power) => power / sum)
}

export const sigmoids = (logits: ArrayLike<number>): number[] => Array.from(logits, (x) => 1 / (1 + Math.exp(-x)))

/** The greatest of `classes` planes of `size` logits at each place; of equal ones the first. At most 256 planes. */
export function argmaxPlanes(logits: Float32Array, classes: number, size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, place) => {
    let best = 0
    for (let k = 1; k < classes; k++) if (logits[k * size + place]! > logits[best * size + place]!) best = k
    return best
  })
}
