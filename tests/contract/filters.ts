/** Filters over the metadata of stored items: the same answer from every adapter, and from the plain definition. */
import { randomUUID } from 'node:crypto'
import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Condition, Filter, Scalar } from '../../src/vectors/filter.ts'
import type { VectorStore } from '../../src/vectors/store.ts'
import { accepts } from './filter-oracle.ts'
import { type StoreHarness, textItem, unit } from './vector-store.ts'

const HOSTILE = [
  "it's",
  "'; DROP TABLE x; --",
  '"',
  '\\',
  '%',
  '_',
  '',
  'a|b',
  '[x]',
  '{}',
  '\u0001',
  '\n',
  'ß語😀',
  '.*',
  '$&',
]
const METADATA: unknown[] = [
  { n: 1, s: 'one', b: true, tags: ['x', 'y'], deep: { er: { n: -2.5 } } },
  { n: 1.5, s: 'One', b: false, tags: [], deep: { er: {} } },
  { n: '1', s: null, b: 'true', tags: ['y', 3, [4, 'z']] },
  { n: [0, 10], 'dotted.key': 5, deep: [{ er: { n: 7 } }, { er: { n: 8 } }] },
  { n: -1e300 },
  { n: 5e-324, s: 'x'.repeat(5000) },
  { n: -0 },
  { n: [20, 20] },
  { n: [30, 'x', [40, 3e9]], m: 4 },
  {},
  ...HOSTILE.map((text) => ({ hostile: text, [text || 'empty']: true })),
]

export function filterContract(name: string, harness: () => Promise<StoreHarness>): void {
  describe(`${name}: filters`, () => {
    let held: StoreHarness
    let store: VectorStore
    const collection = `c-${randomUUID()}`

    beforeAll(async () => {
      held = await harness()
      store = await held.open()
      await store.createCollection({ name: collection, embedDim: 4, model: 'fake', metadata: {}, createdAt: '' })
      for (const [i, metadata] of METADATA.entries()) {
        await store.putItem(collection, textItem(idOf(i), unit(1, i, 0, 0), { metadata, n: 'not metadata' }))
      }
    })
    afterAll(async () => {
      await store.close()
      await held.dispose()
    })

    const idOf = (i: number) => `item-${String(i).padStart(2, '0')}`
    const listed = async (filter: Filter) =>
      (await store.listItems(collection, { limit: 1000, filter })).map(({ id }) => id)
    const expected = (filter: Filter) => METADATA.flatMap((each, i) => (accepts(filter, each) ? [idOf(i)] : []))
    const agrees = async (filter: Filter) => {
      expect(await listed(filter), JSON.stringify(filter)).toEqual(expected(filter))
    }

    it('match a value of the same type, in arrays and in objects too', async () => {
      expect(await listed({ must: [{ key: 'n', match: { value: 1 } }] })).toEqual(['item-00'])
      expect(await listed({ must: [{ key: 'n', match: { value: '1' } }] })).toEqual(['item-02'])
      expect(await listed({ must: [{ key: 'b', match: { value: true } }] })).toEqual(['item-00'])
      expect(await listed({ must: [{ key: 'tags', match: { value: 'y' } }] })).toEqual(['item-00', 'item-02'])
      expect(await listed({ must: [{ key: 'n', match: { any: [1.5, 10] } }] })).toEqual(['item-01', 'item-03'])
      expect(await listed({ must: [{ key: 'deep.er.n', match: { value: 8 } }] })).toEqual(['item-03'])
      expect(await listed({ must: [{ key: 'n', match: { any: [] } }] })).toEqual([])
    })

    it('bound numbers, and numbers only', async () => {
      expect(await listed({ must: [{ key: 'n', range: { gte: 1, lt: 1.5 } }] })).toEqual(['item-00'])
      expect(await listed({ must: [{ key: 'n', range: { gt: 1, lte: 1.5 } }] })).toEqual(['item-01'])
      expect(await listed({ must: [{ key: 'n', range: { gt: 9, lt: 11 } }] })).toEqual(['item-03'])
      expect(await listed({ must: [{ key: 'n', range: { gt: 3, lt: 9 } }] })).toEqual([])
      expect(await listed({ must: [{ key: 'n', range: { gte: 40, lt: 41 } }] })).toEqual(['item-08'])
      expect(await listed({ must: [{ key: 'n', range: { gte: 20, lte: 30 } }] })).toEqual(['item-07', 'item-08'])
      expect(await listed({ must: [{ key: 'n', range: { lt: 0 } }] })).toEqual(['item-04'])
      expect(await listed({ must: [{ key: 'n', range: { gt: 0, lt: 1e-300 } }] })).toEqual(['item-05'])
      expect(await listed({ must: [{ key: 'n', range: { gte: 0, lte: 0 } }] })).toEqual(['item-03', 'item-06'])
      expect(await listed({ must: [{ key: 'n', range: { gt: 2, lt: 1 } }] })).toEqual([])
    })

    it('ask whether a key exists: null and an empty array do not', async () => {
      await agrees({ must: [{ key: 's', exists: true }] })
      await agrees({ must: [{ key: 's', exists: false }] })
      expect(await listed({ must: [{ key: 'tags', exists: true }] })).toEqual(['item-00', 'item-02'])
      expect(await listed({ must: [{ key: 'deep.er', exists: true }] })).toEqual(['item-00', 'item-01', 'item-03'])
    })

    it('join conditions: all of must, one of should, none of must_not', async () => {
      const s = { key: 's', exists: true } as const
      const one: Condition = { key: 'n', match: { value: 1 } }
      const float: Condition = { key: 'n', match: { value: 1.5 } }
      expect(await listed({ should: [one, float] })).toEqual(['item-00', 'item-01'])
      expect(await listed({ must: [s], must_not: [one] })).toEqual(['item-01', 'item-05'])
      expect(await listed({})).toHaveLength(METADATA.length)
    })

    it('take hostile strings as what they are', async () => {
      for (const text of HOSTILE) {
        await agrees({ must: [{ key: 'hostile', match: { value: text } }] })
        await agrees({ must: [{ key: text || 'empty', exists: true }] })
        await agrees({ must_not: [{ key: text || 'empty', match: { value: true } }] })
      }
    })

    it('agree with the plain definition whatever is asked', async () => {
      const key = fc.constantFrom(
        'n',
        's',
        'b',
        'tags',
        'deep.er.n',
        'deep.er',
        'deep',
        'dotted.key',
        'hostile',
        'none',
      )
      const scalar: fc.Arbitrary<Scalar> = fc.oneof(
        fc.constantFrom<Scalar>(1, 1.5, '1', 'one', true, 'true', 'y', 3, 4, 0, 10, 5, 7, -2.5, ...HOSTILE),
        fc.string(),
        fc.double({ noNaN: true, noDefaultInfinity: true }),
      )
      const bound = fc.constantFrom(-1e300, -2.5, -1, 0, 5e-324, 1, 1.5, 3, 7, 8, 10, 1e9)
      const condition: fc.Arbitrary<Condition> = fc.oneof(
        fc.record({ key, match: fc.record({ value: scalar }) }),
        fc.record({ key, match: fc.record({ any: fc.array(scalar, { maxLength: 3 }) }) }),
        fc.record({ key, exists: fc.boolean() }),
        fc.record({ key, range: fc.record({ gt: bound, gte: bound, lt: bound, lte: bound }, { requiredKeys: [] }) }),
      )
      const conditions = fc.array(condition, { maxLength: 3 })
      const filter = fc.record({ must: conditions, should: conditions, must_not: conditions }, { requiredKeys: [] })
      await fc.assert(fc.asyncProperty(filter, agrees), { numRuns: 150 })
    })

    it('page through a list, and narrow a search without shortening it', async () => {
      const filter: Filter = { must: [{ key: 'hostile', exists: true }] }
      const first = await store.listItems(collection, { limit: 2, filter })
      const rest = await store.listItems(collection, { limit: 100, filter, afterId: first[1]!.id })
      expect([...first, ...rest].map(({ id }) => id)).toEqual(expected(filter))
      const hits = await store.search(collection, { vector: unit(1, 0, 0, 0), limit: 3, offset: 1, filter })
      expect(hits.map(({ id }) => id)).toEqual(expected(filter).slice(1, 4))
    })
  })
}
