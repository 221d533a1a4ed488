import { describe, expect, it } from 'vitest'
import {
  bootstrapped,
  boxIou,
  classIous,
  confusion,
  mean,
  meanIou,
  nearest,
  proportion,
  rankAmong,
  recalls,
  wilson,
} from '../../../src/eval/metrics.ts'
import { seeded } from '../../../src/samples/synthesis.ts'

const unit = (degrees: number) =>
  Float32Array.of(Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180))

describe('shares', () => {
  it('count a query whose answer is among the first k, and tell what guessing would give', () => {
    const [r1, r5] = recalls([1, 5], [0, 4, 5, Number.POSITIVE_INFINITY], 50)
    expect(r1).toMatchObject({ measure: 'R@1', value: 0.25, chance: 0.02 })
    expect(r5).toMatchObject({ measure: 'R@5', value: 0.5, chance: 0.1 })
    expect(recalls([10], [0], 4)[0]!.chance).toBe(1)
  })

  it('have an interval that holds the share and stays within 0 and 1', () => {
    expect(wilson(0, 20)[0]).toBe(0)
    expect(wilson(20, 20)[1]).toBe(1)
    const [low, high] = wilson(30, 100) // 0.219 to 0.396 by Newcombe 1998's formula
    expect(low).toBeCloseTo(0.2189, 3)
    expect(high).toBeCloseTo(0.3958, 3)
  })

  it('refuse to make a figure of nothing', () => {
    expect(() => proportion('accuracy', 0, 0)).toThrow(RangeError)
  })
})

describe('the bootstrap', () => {
  it('gives the same interval for the same seed, about as wide as the normal one', () => {
    const sample = Array.from({ length: 400 }, (_, i) => i % 2)
    const once = bootstrapped(sample, mean, seeded(7))
    expect(bootstrapped(sample, mean, seeded(7))).toEqual(once)
    expect(once.value).toBe(0.5)
    const [low, high] = once.interval
    expect(high - low).toBeCloseTo(2 * 1.96 * 0.025, 1) // standard error of a fair coin, 400 tosses
    expect(low).toBeLessThan(0.5)
    expect(high).toBeGreaterThan(0.5)
  })
})

describe('ranks', () => {
  const candidates = [unit(0), unit(20), unit(90), unit(20)]

  it('are places from 0 by cosine', () => {
    expect(rankAmong(unit(5), candidates, 0)).toBe(0)
    expect(rankAmong(unit(5), candidates, 2)).toBe(3)
    expect(nearest(unit(80), candidates, 2)).toEqual([2, 1])
  })

  it('count a tie against the query, so that a model that says the same of everything finds nothing', () => {
    expect(rankAmong(unit(20), candidates, 1)).toBe(1)
    expect(rankAmong(unit(0), [unit(0), unit(0), unit(0)], 0)).toBe(2)
  })
})

describe('overlap', () => {
  it('of boxes is the shared area over the area of both', () => {
    expect(boxIou([0, 0, 10, 10], [0, 0, 10, 10])).toBe(1)
    expect(boxIou([0, 0, 10, 10], [5, 0, 15, 10])).toBeCloseTo(1 / 3)
    expect(boxIou([0, 0, 10, 10], [10, 10, 20, 20])).toBe(0)
    expect(boxIou([0, 0, 10, 10], [8, 8, 2, 2])).toBe(0) // turned inside out: no area
  })

  it('of maps is counted a class over all pictures, leaving out classes that are nowhere', () => {
    const first = confusion(Uint8Array.of(0, 0, 1, 1), Uint8Array.of(0, 1, 1, 1), 3)
    const second = confusion(Uint8Array.of(0, 0, 0, 0), Uint8Array.of(0, 0, 0, 0), 3)
    const [background, thing, nowhere] = classIous([first, second], 3)
    expect(background).toBeCloseTo(5 / 6)
    expect(thing).toBeCloseTo(2 / 3)
    expect(nowhere).toBeNaN()
    expect(meanIou([first, second], 3)).toBeCloseTo((5 / 6 + 2 / 3) / 2)
    expect(() => confusion(new Uint8Array(3), new Uint8Array(4), 3)).toThrow('cannot be compared')
  })
})
