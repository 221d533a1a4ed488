/** What every `VectorStore` adapter must do; each adapter's test file calls this with a way to open it. */
import { randomUUID } from 'node:crypto'
import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Modality } from '../../src/modality.ts'
import type { NewItem, VectorStore } from '../../src/vectors/store.ts'

export interface StoreHarness {
  /** Opens the store over the same data each time it is called. */
  open(): Promise<VectorStore>
  dispose(): Promise<void>
}

const DIM = 4

export function unit(...values: number[]): Float32Array {
  const norm = Math.hypot(...values)
  return Float32Array.from(values, (value) => value / norm)
}

export function textItem(id: string, vector = unit(1, 0, 0, 0), payload: Record<string, unknown> = {}): NewItem {
  return { id, modality: 'text', sha256: 'a'.repeat(64), payload, points: [{ vector }] }
}

function sound(id: string, ...vectors: Float32Array[]): NewItem {
  const points = vectors.map((vector, i) => ({ vector, segment: { startMs: i * 7500, endMs: i * 7500 + 15_000 } }))
  return { id, modality: 'audio', sha256: 'b'.repeat(64), payload: { sound: true }, points }
}

export function vectorStoreContract(name: string, harness: () => Promise<StoreHarness>): void {
  describe(`${name} as a VectorStore`, () => {
    let held: StoreHarness
    let store: VectorStore

    beforeAll(async () => {
      held = await harness()
      store = await held.open()
    })

    afterAll(async () => {
      await store.close()
      await held.dispose()
    })

    async function collection(metadata: Record<string, unknown> = {}): Promise<string> {
      const name = `c-${randomUUID()}`
      await store.createCollection({
        name,
        embedDim: DIM,
        model: 'fake',
        metadata,
        createdAt: '2026-01-01T00:00:00.000Z',
      })
      return name
    }

    it('is ready', async () => {
      await store.ready()
    })

    it('keeps what a collection is, and refuses the same name twice', async () => {
      const name = await collection({ purpose: 'test "quoted"' })
      expect(await store.getCollection(name)).toEqual({
        name,
        embedDim: DIM,
        model: 'fake',
        metadata: { purpose: 'test "quoted"' },
        createdAt: '2026-01-01T00:00:00.000Z',
        itemCount: 0,
      })
      const { itemCount: _, ...described } = (await store.getCollection(name))!
      expect(await store.describeCollection(name)).toEqual(described)
      const again = { name, embedDim: DIM, model: 'fake', metadata: {}, createdAt: '' }
      await expect(store.createCollection(again)).rejects.toMatchObject({ code: 'conflict' })
      expect((await store.listCollections()).map((each) => each.name)).toContain(name)
    })

    it('of two creators of one name lets exactly one win', async () => {
      const one = { name: `c-${randomUUID()}`, embedDim: DIM, model: 'fake', metadata: {}, createdAt: '' }
      const results = await Promise.allSettled([store.createCollection(one), store.createCollection(one)])
      expect(results.map((result) => result.status).sort()).toEqual(['fulfilled', 'rejected'])
    })

    it('deletes a collection with everything in it; its name is free again', async () => {
      const name = await collection()
      await store.createItem(name, textItem('a'))
      expect(await store.deleteCollection(name)).toBe(true)
      expect(await store.deleteCollection(name)).toBe(false)
      expect(await store.getCollection(name)).toBeUndefined()
      expect(await store.describeCollection(name)).toBeUndefined()
      await store.createCollection({ name, embedDim: DIM, model: 'fake', metadata: {}, createdAt: '' })
      expect(await store.getItem(name, 'a')).toBeUndefined()
    })

    it('says not-found for every use of an unknown collection', async () => {
      const missing = { code: 'not-found' }
      await expect(store.createItem('none', textItem('a'))).rejects.toMatchObject(missing)
      await expect(store.putItem('none', textItem('a'))).rejects.toMatchObject(missing)
      await expect(store.getItem('none', 'a')).rejects.toMatchObject(missing)
      await expect(store.deleteItem('none', 'a')).rejects.toMatchObject(missing)
      await expect(store.listItems('none', { limit: 1 })).rejects.toMatchObject(missing)
      const query = { vector: unit(1, 0, 0, 0), limit: 1, offset: 0 }
      await expect(store.search('none', query)).rejects.toMatchObject(missing)
    })

    it('creates insert-only: of many at once with one id, one wins and stays as it was', async () => {
      const name = await collection()
      const tries = Array.from({ length: 8 }, (_, n) =>
        store.createItem(name, textItem('same', unit(1, 0, 0, 0), { n })),
      )
      const results = await Promise.allSettled(tries)
      expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1)
      const winner = results.findIndex((result) => result.status === 'fulfilled')
      expect((await store.getItem(name, 'same'))?.payload).toEqual({ n: winner })
      await expect(store.createItem(name, textItem('same'))).rejects.toMatchObject({ code: 'conflict' })
      expect((await store.getCollection(name))?.itemCount).toBe(1)
    })

    it('replaces an item with more or fewer points as a whole, and says what it replaced', async () => {
      const name = await collection()
      expect(
        await store.putItem(name, sound('x', unit(1, 0, 0, 0), unit(0, 1, 0, 0), unit(0, 0, 1, 0))),
      ).toBeUndefined()
      const replaced = await store.putItem(name, textItem('x', unit(0, 0, 0, 1), { new: true }))
      expect(replaced).toMatchObject({ modality: 'audio', sha256: 'b'.repeat(64) })
      expect(await store.getItem(name, 'x')).toMatchObject({ modality: 'text', segments: [], payload: { new: true } })
      const hits = await store.search(name, { vector: unit(1, 0, 0, 0), limit: 10, offset: 0 })
      expect(hits).toHaveLength(1)
      expect(hits[0]!.score).toBeCloseTo(0, 6)
      await store.putItem(name, sound('x', unit(1, 0, 0, 0), unit(0, 1, 0, 0)))
      expect((await store.getItem(name, 'x'))?.segments).toHaveLength(2)
      expect((await store.getCollection(name))?.itemCount).toBe(1)
    })

    it("keeps writes that come at once apart: what one replaces, shrinks or may not have is the others' as it was", async () => {
      const name = await collection()
      const three = [unit(1, 0, 0, 0), unit(0, 1, 0, 0), unit(0, 0, 1, 0)]
      for (const id of ['grown', 'shrunk', 'taken']) await store.createItem(name, sound(id, ...three.slice(0, 2)))
      const [taken, ...others] = await Promise.allSettled([
        store.createItem(name, textItem('taken')),
        store.putItem(name, sound('grown', ...three)),
        store.putItem(name, textItem('shrunk')),
        store.createItem(name, { ...textItem('new'), isNew: true }),
      ])
      expect(taken).toMatchObject({ status: 'rejected', reason: { code: 'conflict' } })
      expect(others.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled'])
      const segments = async (id: string) => (await store.getItem(name, id))?.segments.length
      expect(await Promise.all(['grown', 'shrunk', 'taken', 'new'].map(segments))).toEqual([3, 0, 2, 0])
    })

    it('never shows a reader neither or half of a replaced item', async () => {
      const name = await collection()
      await store.putItem(name, sound('x', unit(1, 0, 0, 0), unit(0, 1, 0, 0)))
      let done = false
      const writer = (async () => {
        for (let n = 0; n < 20; n++) await store.putItem(name, sound('x', unit(1, 0, 0, n), unit(0, 1, 0, n)))
        done = true
      })()
      while (!done) expect((await store.getItem(name, 'x'))?.segments).toHaveLength(2)
      await writer
    })

    it('finds by cosine, an item once, by its best segment', async () => {
      const name = await collection()
      await store.createItem(name, textItem('t', unit(1, 1, 0, 0)))
      await store.createItem(name, sound('s', unit(0, 0, 1, 0), unit(1, 0.1, 0, 0), unit(0.9, 1, 0, 0)))
      await store.createItem(name, textItem('far', unit(-1, 0, 0, 0)))
      const hits = await store.search(name, { vector: unit(1, 0, 0, 0), limit: 10, offset: 0, withVector: true })
      expect(hits.map((hit) => hit.id)).toEqual(['s', 't', 'far'])
      expect(hits[0]!.segment).toEqual({ startMs: 7500, endMs: 22_500 })
      expect(hits[0]!.vector).toEqual(unit(1, 0.1, 0, 0))
      expect(hits.map((hit) => hit.score)).toEqual([
        expect.closeTo(1 / Math.hypot(1, 0.1), 5),
        expect.closeTo(Math.SQRT1_2, 5),
        expect.closeTo(-1, 5),
      ])
    })

    it('gives unit vectors back as they were, bit for bit', async () => {
      const name = `c-${randomUUID()}`
      await store.createCollection({ name, embedDim: 1536, model: 'fake', metadata: {}, createdAt: '' })
      // A fixed sequence; the widths and magnitudes of a model's vectors.
      let state = 1
      const next = () => {
        state = (state * 48271) % 2147483647
        return state / 2147483647 - 0.5
      }
      for (let n = 0; n < 20; n++) {
        const vector = unit(...Array.from({ length: 1536 }, next))
        await store.createItem(name, textItem(`i${n}`, vector))
        expect(await store.getVectors(name, `i${n}`)).toEqual([vector])
        const [hit] = await store.search(name, { vector, limit: 1, offset: 0, withVector: true })
        expect(hit).toMatchObject({ id: `i${n}`, score: expect.closeTo(1, 5), vector })
      }
    })

    it('searches by modality, with offset, limit and threshold', async () => {
      const name = await collection()
      for (let n = 0; n < 12; n++) {
        const modality: Modality = n % 2 ? 'image' : 'text'
        await store.createItem(name, { ...textItem(`i${n}`, unit(1, n / 10, 0, 0)), modality })
      }
      const query = { vector: unit(1, 0, 0, 0), offset: 0, limit: 4 }
      const ids = async (more: object) => (await store.search(name, { ...query, ...more })).map((hit) => hit.id)
      expect(await ids({})).toEqual(['i0', 'i1', 'i2', 'i3'])
      expect(await ids({ offset: 4 })).toEqual(['i4', 'i5', 'i6', 'i7'])
      expect(await ids({ offset: 10 })).toEqual(['i10', 'i11'])
      expect(await ids({ offset: 100 })).toEqual([])
      expect(await ids({ modalities: ['image'] })).toEqual(['i1', 'i3', 'i5', 'i7'])
      expect(await ids({ modalities: ['audio'] })).toEqual([])
      expect(await ids({ scoreThreshold: 0.99 })).toEqual(['i0', 'i1'])
    })

    it('fills a page however many segments crowd the top', async () => {
      const name = await collection()
      const many = Array.from({ length: 40 }, (_, n) => unit(1, n / 1000, 0, 0))
      await store.createItem(name, sound('long', ...many))
      for (let n = 0; n < 4; n++) await store.createItem(name, textItem(`t${n}`, unit(1, 1 + n, 0, 0)))
      const hits = await store.search(name, { vector: unit(1, 0, 0, 0), limit: 3, offset: 0 })
      expect(hits.map((hit) => hit.id)).toEqual(['long', 't0', 't1'])
    })

    it('lists in code point order of id, page by page', async () => {
      const name = await collection()
      const ids = ['b', 'a', 'ä', '\u{1F600}', '\uFF5E', "o'neil", 'Z']
      for (const id of ids) await store.createItem(name, textItem(id))
      const listed: string[] = []
      for (let afterId: string | undefined; ; afterId = listed.at(-1)) {
        const page = await store.listItems(name, { limit: 2, ...(afterId !== undefined && { afterId }) })
        listed.push(...page.map((item) => item.id))
        if (page.length < 2) break
      }
      expect(listed).toEqual(['Z', 'a', 'b', "o'neil", 'ä', '\uFF5E', '\u{1F600}'])
    })

    it('treats any id as a value, never as a query', async () => {
      const name = await collection()
      await store.createItem(name, textItem('bystander'))
      const parts = [
        "'",
        "''",
        '"',
        '\\',
        "\\'",
        ';',
        '--',
        '/*',
        '%',
        '_',
        "' OR '1'='1",
        '$1',
        '`',
        'é',
        '日本',
        '👩‍👩‍👧',
        '\u2028',
        ' ',
      ]
      const hostile = fc.array(fc.oneof(fc.constantFrom(...parts), fc.string({ unit: 'grapheme' })), {
        minLength: 1,
        maxLength: 6,
      })
      const ids = hostile
        .map((all) => all.join(''))
        .filter((id) => id !== 'bystander' && /^[^\p{Cc}\p{Cs}]+$/u.test(id))
      await fc.assert(
        fc.asyncProperty(ids, async (id) => {
          const payload = { [id]: id }
          await store.createItem(name, textItem(id, unit(1, 0, 0, 0), payload))
          await expect(store.createItem(name, textItem(id))).rejects.toMatchObject({ code: 'conflict' })
          expect(await store.getItem(name, id)).toMatchObject({ id, payload })
          expect(await store.putItem(name, textItem(id, unit(0, 1, 0, 0)))).toMatchObject({ id, payload })
          expect(await store.listItems(name, { afterId: id, limit: 3 })).not.toContainEqual(
            expect.objectContaining({ id }),
          )
          expect(await store.deleteItem(name, id)).toMatchObject({ id })
          expect(await store.getItem(name, id)).toBeUndefined()
          expect((await store.getCollection(name))?.itemCount).toBe(1)
        }),
        { numRuns: 25 },
      )
    })

    it('knows which hashes are referred to', async () => {
      const name = await collection()
      const hash = randomUUID().replaceAll('-', '').padEnd(64, '0')
      await store.createItem(name, { ...textItem('a'), sha256: hash })
      expect(await store.referencedHashes([hash, 'f'.repeat(64)])).toEqual(new Set([hash]))
      expect(await store.referencedHashes([])).toEqual(new Set())
      expect(await store.referencedHashes()).toContain(hash)
      await store.deleteItem(name, 'a')
      expect(await store.referencedHashes([hash])).toEqual(new Set())
    })

    it('holds hundreds of single inserts, and finds them again after it was closed', async () => {
      const name = await collection()
      const ids = Array.from({ length: 200 }, (_, n) => `n${String(n).padStart(3, '0')}`)
      await Promise.all(ids.map((id, n) => store.createItem(name, textItem(id, unit(1, n, 0, 0)))))
      await store.close()
      store = await held.open()
      expect((await store.getCollection(name))?.itemCount).toBe(200)
      const listed = await store.listItems(name, { limit: 1000 })
      expect(listed.map((item) => item.id)).toEqual(ids)
    })
  })
}
