import { expect, it } from 'vitest'
import { diversified } from '../../../src/services/diversity.ts'

const at = (name: string, degrees: number) => {
  const angle = (degrees * Math.PI) / 180
  return { name, score: Math.cos(angle), embedding: Float32Array.of(Math.cos(angle), Math.sin(angle)) }
}
const names = (hits: { name: string }[]) => hits.map(({ name }) => name).join('')
const candidates = [at('a', 10), at('b', 12), at('c', 14), at('d', -40)]

it('prefers the hit on the other side of the query to twins of the best', async () => {
  expect(names(await diversified(candidates, 3, 0))).toBe('abc')
  expect(names(await diversified(candidates, 3, 0.5))).toBe('adb')
})

it('gives no more than there are, and each once', async () => {
  expect([...names(await diversified(candidates, 10, 1))].sort().join('')).toBe('abcd')
  expect(await diversified([], 3, 0.5)).toEqual([])
})
