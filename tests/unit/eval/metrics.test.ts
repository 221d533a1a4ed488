import { describe, expect, it } from 'vitest'
import { recallAt, wilson } from '../../../src/eval/metrics.ts'

describe('recall', () => {
  it('counts a query whose answer is among the first k, and what guessing would give', () => {
    const recall = recallAt(5, [0, 4, 5, Number.POSITIVE_INFINITY], 50)
    expect(recall).toMatchObject({ k: 5, queries: 4, recall: 0.5, chance: 0.1 })
  })

  it('has an interval that holds the share and stays within 0 and 1', () => {
    expect(wilson(0, 20)[0]).toBe(0)
    expect(wilson(20, 20)[1]).toBe(1)
    const [low, high] = wilson(30, 100) // 0.219 to 0.396 by Newcombe 1998's formula
    expect(low).toBeCloseTo(0.2189, 3)
    expect(high).toBeCloseTo(0.3958, 3)
  })
})
