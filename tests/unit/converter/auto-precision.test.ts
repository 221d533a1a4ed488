import { describe, expect, it } from 'vitest'
import { autoPrecision } from '../../../src/converter/auto-precision.ts'

const GB = 1e9
const OFFICIAL = 3_884_740_545

describe('the precision chosen for a machine', () => {
  it.each([
    ['a small model', 8e6, 'cpu', 16 * GB, 'fp32'],
    ['a small model on hardly any memory', 200e6, 'cpu', 1 * GB, 'int8'],
    ['the official model on a laptop', OFFICIAL, 'cpu', 16 * GB, 'int8'],
    ['the official model on little memory', OFFICIAL, 'cpu', 6 * GB, 'int4'],
    ['the official model on a large server', OFFICIAL, 'cpu', 512 * GB, 'int8'],
    ['the official model on a GPU', OFFICIAL, 'gpu', 40 * GB, 'fp16'],
  ] as const)('for %s', (_, parameters, device, memoryBytes, precision) => {
    expect(autoPrecision(parameters, { device, memoryBytes })).toBe(precision)
  })
})
