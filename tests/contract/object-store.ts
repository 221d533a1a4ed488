/** What every `ObjectStore` promises; run by a test file for each. */
import { buffer } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ObjectStore } from '../../src/objects/object-store.ts'

export interface StoreUnderTest {
  store: ObjectStore
  /** The same objects, as another process sees them. */
  second: ObjectStore
  close(): Promise<void>
}

export function objectStoreContract(open: () => Promise<StoreUnderTest>): void {
  let opened: StoreUnderTest
  let store: ObjectStore
  beforeAll(async () => {
    opened = await open()
    store = opened.store
  })
  afterAll(() => opened?.close())

  const textOf = async (key: string, from = store) => (await from.get(key))?.toString()

  describe('an object store', () => {
    it('is ready', () => store.ready())

    it('gives back what was put, to another process too, and what replaced it', async () => {
      await store.put('ab/one', 'first')
      expect(await textOf('ab/one', opened.second)).toBe('first')
      await opened.second.put('ab/one', new Uint8Array([0, 255, 10]))
      expect([...(await store.get('ab/one'))!]).toEqual([0, 255, 10])
      expect((await store.stat('ab/one'))!.bytes).toBe(3)
    })

    it('keeps an object of no bytes, and one of five megabytes', async () => {
      const large = Buffer.alloc(5_000_000, 'onepeace')
      await Promise.all([store.put('sizes/none', ''), store.put('sizes/large', large)])
      expect((await store.get('sizes/none'))!.length).toBe(0)
      expect((await store.get('sizes/large'))!.equals(large)).toBe(true)
    })

    it('opens the whole or a part as a stream', async () => {
      await store.put('part', '0123456789')
      const read = async (range?: { start: number; end: number }) =>
        (await buffer((await store.open('part', range))!)).toString()
      expect(await read()).toBe('0123456789')
      expect(await read({ start: 0, end: 0 })).toBe('0')
      expect(await read({ start: 4, end: 6 })).toBe('456')
      expect(await read({ start: 7, end: 9 })).toBe('789')
    })

    it('has nothing where nothing was put', async () => {
      expect(await store.get('no/such')).toBeUndefined()
      expect(await store.open('no/such')).toBeUndefined()
      expect(await store.stat('no/such')).toBeUndefined()
      await store.delete('no/such')
    })

    it('lets one of many creators succeed, and leaves what is there alone', async () => {
      const creators = Array.from({ length: 16 }, (_, i) => (i % 2 ? store : opened.second).create('race', `by ${i}`))
      const won = await Promise.all(creators)
      expect(won.filter(Boolean)).toEqual([true])
      expect(await textOf('race')).toBe(`by ${won.indexOf(true)}`)
      expect(await store.create('race', 'late')).toBe(false)
      await store.delete('race')
      expect(await store.create('race', 'again')).toBe(true)
    })

    it('lists what there is, with sizes and times, and no more what was deleted', async () => {
      const before = Date.now()
      await Promise.all(['list/a', 'list/b/c', 'list/gone'].map((key) => store.put(key, 'four')))
      await store.delete('list/gone')
      const found: { key: string; bytes: number; modifiedAtMs: number }[] = []
      for await (const each of store.list()) if (each.key.startsWith('list/')) found.push(each)
      expect(found.map(({ key, bytes }) => [key, bytes]).sort()).toEqual([
        ['list/a', 4],
        ['list/b/c', 4],
      ])
      // S3 tells whole seconds.
      for (const { modifiedAtMs } of found) expect(Math.abs(modifiedAtMs - before)).toBeLessThan(60_000)
    })

    it('takes for a key nothing that could lead elsewhere', async () => {
      for (const key of ['../up', '/root', 'a//b', 'a/../b', '.hidden', 'a/', '', 'a b', 'a\\b'])
        await expect((async () => store.get(key))()).rejects.toThrow(RangeError)
    })
  })
}
