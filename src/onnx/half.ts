/**
 * float32 to IEEE 754 binary16, rounded to nearest, ties to even.
 *
 *   float32  s eeeeeeee mmmmmmmmmmmmmmmmmmmmmmm      binary16  s eeeee mmmmmmmmmm
 */

/** Bits of 65520: the largest finite half is 65504, and what rounds beyond it has none. */
const OVERFLOW = 0x477ff000
/** Bits of 2^-14 and of infinity. */
const LEAST_NORMAL = 0x38800000
const INFINITY = 0x7f800000

/**
 * @returns the halves' bits, same length
 * @throws RangeError where a finite value would become infinite
 */
export function toHalf(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length)
  const halves = new Uint16Array(values.length)
  for (let i = 0; i < bits.length; i++) halves[i] = halfBits(bits[i]!)
  return halves
}

/** Bits of a float32 to those of a half. */
function halfBits(bits: number): number {
  const sign = (bits >>> 16) & 0x8000
  const magnitude = bits & 0x7fffffff
  if (magnitude >= OVERFLOW) return sign | beyond(bits, magnitude)
  if (magnitude < LEAST_NORMAL) return sign | subnormal(magnitude)
  // Half a unit less one, plus one if the last bit is odd.
  return sign | ((magnitude + 0xfff + ((magnitude >>> 13) & 1) - 0x38000000) >>> 13)
}

/** Units of 2^-24. A magnitude is so small only now and then, so that its value may be taken out of its bits slowly. */
function subnormal(magnitude: number): number {
  return roundEven(floatOf(magnitude) * 2 ** 24)
}

/** Infinity stays, what is no number stays none. */
function beyond(bits: number, magnitude: number): number {
  if (magnitude > INFINITY) return 0x7e00
  if (magnitude === INFINITY) return 0x7c00
  throw new RangeError(`${floatOf(bits)} does not fit into a half-precision number.`)
}

const scratch = new DataView(new ArrayBuffer(4))
function floatOf(bits: number): number {
  scratch.setUint32(0, bits)
  return scratch.getFloat32(0)
}

function roundEven(value: number): number {
  const floor = Math.floor(value)
  const rest = value - floor
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor
}
