import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { toHalf } from '../../../src/onnx/half.ts'

/** An independent reading of binary16. */
function fromHalf(bits: number): number {
  const [sign, exponent, mantissa] = [bits >>> 15 ? -1 : 1, (bits >>> 10) & 31, bits & 1023]
  if (exponent === 31) return mantissa ? Number.NaN : sign * Number.POSITIVE_INFINITY
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + mantissa / 1024) : 2 ** -14 * (mantissa / 1024))
}

describe('toHalf', () => {
  it('keeps every half that there is', () => {
    for (let bits = 0; bits < 0x10000; bits++) {
      const value = fromHalf(bits)
      if (!Number.isNaN(value)) expect(toHalf(Float32Array.of(value))[0]).toBe(bits)
    }
  })

  it('rounds to the nearest half, ties to even', () => {
    fc.assert(
      fc.property(fc.float({ min: -65000, max: 65000, noNaN: true }), (value) => {
        const half = fromHalf(toHalf(Float32Array.of(value))[0]!)
        const unit = 2 ** Math.max(Math.floor(Math.log2(Math.abs(value) || 1)) - 10, -24)
        expect(Math.abs(half - value)).toBeLessThanOrEqual(unit / 2)
      }),
    )
    expect(fromHalf(toHalf(Float32Array.of(2049))[0]!)).toBe(2048)
    expect(fromHalf(toHalf(Float32Array.of(2051))[0]!)).toBe(2052)
  })

  it('refuses a finite value that has no half', () => {
    expect(() => toHalf(Float32Array.of(70000))).toThrow(/does not fit/)
  })
})
