/**
 * float32 to IEEE 754 binary16, rounded to nearest, ties to even.
 *
 *   float32  s eeeeeeee mmmmmmmmmmmmmmmmmmmmmmm      binary16  s eeeee mmmmmmmmmm
 */

/** Largest finite half: 65504; what rounds beyond it has no half. */
const OVERFLOW = 65520

/**
 * @returns the halves' bits, same length
 * @throws RangeError where a finite value would become infinite
 */
export function toHalf(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length)
  return Uint16Array.from(values, (value, index) => {
    if (Number.isFinite(value) && Math.abs(value) >= OVERFLOW) {
      throw new RangeError(`${value} does not fit into a half-precision number.`)
    }
    return halfBits(value, bits[index]!)
  })
}

function halfBits(value: number, bits: number): number {
  const sign = (bits >>> 16) & 0x8000
  if (Number.isNaN(value)) return sign | 0x7e00
  const magnitude = bits & 0x7fffffff
  if (magnitude >= 0x7f800000) return sign | 0x7c00
  if (magnitude < 0x38800000) return sign | roundEven(Math.abs(value) * 2 ** 24) // subnormal: units of 2^-24
  const rounded = magnitude + 0xfff + ((magnitude >>> 13) & 1) // half a unit less one, plus one if the last bit is odd
  return sign | ((rounded - 0x38000000) >>> 13)
}

function roundEven(value: number): number {
  const floor = Math.floor(value)
  const rest = value - floor
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor
}
