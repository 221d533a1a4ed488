/** What every `MaintainedStore` must do when another model's vectors are made; each adapter's test file calls this. */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { FilledItem, ItemToFill, MaintainedStore, Reembedding } from '../../src/vectors/maintenance.ts'
import { textItem, unit } from './vector-store.ts'

export interface MaintainedHarness {
  /** As a process with that model would open the same data; one at a time, if the store takes one alone. */
  open(model?: string): Promise<MaintainedStore>
  dispose(): Promise<void>
}

const OLD = unit(1, 0, 0, 0)
const NEW = unit(0, 1, 0)
const TARGET = { model: 'new', embedDim: 3 }

export function maintenanceContract(title: string, harness: () => Promise<MaintainedHarness>): void {
  describe(`${title} as a MaintainedStore`, () => {
    let held: MaintainedHarness
    let store: MaintainedStore

    beforeAll(async () => {
      held = await harness()
      store = await held.open('old')
    })
    afterAll(async () => {
      await store.close()
      await held.dispose()
    })

    async function reopened(model: string): Promise<MaintainedStore> {
      await store.close()
      store = await held.open(model)
      return store
    }

    async function filled(ids: readonly string[]): Promise<string> {
      await reopened('old')
      const name = `c-${randomUUID()}`
      await store.createCollection({ name, embedDim: 4, model: 'old', metadata: { kept: true }, createdAt: '' })
      for (const id of ids) await store.putItem(name, textItem(id, OLD, { metadata: { id } }))
      return name
    }

    async function missingOf(reembedding: Reembedding): Promise<ItemToFill[]> {
      const all: ItemToFill[] = []
      for await (const each of reembedding.missing()) all.push(each)
      return all.sort((a, b) => (a.item.id < b.item.id ? -1 : 1))
    }

    const withVectors = (items: readonly ItemToFill[], ...vectors: Float32Array[]): FilledItem[] =>
      items.map((each) => ({ ...each, points: vectors.map((vector) => ({ vector })) }))

    it('fills beside what is searched, goes on after an interruption, and changes over when all are there', async () => {
      const name = await filled(['a', 'b', 'c'])
      await store.exclusively(async () => {
        const begun = await store.reembedding(name, TARGET)
        expect(await begun.count()).toEqual({ items: 3, missing: 3 })
        const [a] = await missingOf(begun)
        expect(await begun.fill(withVectors([a!], NEW))).toEqual([])
        expect(await begun.complete()).toBe(false)
        await begun.close()
      })
      expect(await store.getCollection(name)).toMatchObject({ model: 'old', embedDim: 4, itemCount: 3 })
      expect(await store.search(name, { vector: OLD, limit: 9, offset: 0 })).toHaveLength(3)

      await reopened('old')
      await store.exclusively(async () => {
        const again = await store.reembedding(name, TARGET)
        const missing = await missingOf(again)
        expect(missing.map(({ item }) => item.id)).toEqual(['b', 'c'])
        await again.fill(withVectors(missing, NEW))
        expect(await again.complete()).toBe(true)
        await again.close()
      })

      await reopened('new')
      const metadata = { kept: true }
      expect(await store.getCollection(name)).toMatchObject({ ...TARGET, itemCount: 3, metadata })
      const hits = await store.search(name, { vector: NEW, limit: 9, offset: 0, withVector: true })
      expect(hits.map(({ id, score, payload, vector }) => [id, score, payload, vector])).toEqual(
        ['a', 'b', 'c'].map((id) => [id, expect.closeTo(1, 6), { metadata: { id } }, NEW]),
      )
      expect(await store.getVectors(name, 'b')).toEqual([NEW])
      await store.putItem(name, textItem('d', unit(0, 0, 1)))
      expect((await store.search(name, { vector: unit(0, 0, 1), limit: 1, offset: 0 }))[0]).toMatchObject({ id: 'd' })
    })

    it('loses nothing that is written between: what was replaced is missing again, what was deleted stays away', async () => {
      const name = await filled(['replaced', 'deleted', 'kept'])
      await store.exclusively(async () => {
        const begun = await store.reembedding(name, TARGET)
        await begun.fill(withVectors(await missingOf(begun), NEW))
        await begun.close()
      })
      await reopened('old')
      await store.putItem(name, textItem('replaced', OLD, { metadata: { again: true } }))
      await store.deleteItem(name, 'deleted')
      await store.createItem(name, textItem('created', OLD))
      await store.exclusively(async () => {
        const again = await store.reembedding(name, TARGET)
        const missing = await missingOf(again)
        expect(missing.map(({ item }) => item.id)).toEqual(['created', 'replaced'])
        await again.fill(withVectors(missing, unit(1, 1, 0)))
        expect(await again.complete()).toBe(true)
        await again.dropOthers()
        await again.close()
      })
      await reopened('new')
      const hits = await store.search(name, { vector: NEW, limit: 9, offset: 0 })
      expect(hits.map(({ id }) => id)).toEqual(['kept', 'created', 'replaced'])
      expect(hits[2]!.payload).toEqual({ metadata: { again: true } })
      expect((await store.listItems(name, { limit: 9 })).map(({ id }) => id)).toEqual(['created', 'kept', 'replaced'])
    })

    it('fills the windows of long sounds, and finds each by the new model', async () => {
      const name = await filled([])
      const points = [0, 1].map((n) => ({ vector: OLD, segment: { startMs: n, endMs: n + 1 } }))
      await store.putItem(name, { ...textItem('sound'), modality: 'audio', points })
      await store.exclusively(async () => {
        const begun = await store.reembedding(name, TARGET)
        const missing = await missingOf(begun)
        const [{ item }] = missing as [ItemToFill]
        expect(item.segments).toEqual([0, 1].map((n) => ({ startMs: n, endMs: n + 1 })))
        const vectors = [unit(1, 0, 0), unit(0, 0, 1)]
        const filled = missing.map((each) => ({
          ...each,
          points: vectors.map((vector, i) => ({ vector, segment: points[i]!.segment })),
        }))
        expect(await begun.fill(filled)).toEqual([])
        expect(await begun.complete()).toBe(true)
        await begun.close()
      })
      await reopened('new')
      const [best] = await store.search(name, { vector: unit(0, 0, 1), limit: 9, offset: 0 })
      expect(best).toMatchObject({ id: 'sound', segment: { startMs: 1, endMs: 2 }, score: expect.closeTo(1, 6) })
      expect(await store.getVectors(name, 'sound')).toEqual([unit(1, 0, 0), unit(0, 0, 1)])
    })

    it('has nothing to fill where the vectors are the model’s already', async () => {
      const name = await filled(['a'])
      await store.exclusively(async () => {
        const same = await store.reembedding(name, { model: 'old', embedDim: 4 })
        expect(await same.count()).toEqual({ items: 1, missing: 0 })
        expect(await missingOf(same)).toEqual([])
        expect(await same.complete()).toBe(true)
        expect(await same.dropOthers()).toEqual([])
        await same.close()
      })
      expect(await store.getVectors(name, 'a')).toEqual([OLD])
      await expect(store.reembedding('none', TARGET)).rejects.toMatchObject({ code: 'not-found' })
    })

    it('runs what is to run alone one after another', async () => {
      const log: string[] = []
      const task = (name: string) => async () => {
        log.push(`${name} begins`)
        await new Promise((resolve) => setTimeout(resolve, 20))
        log.push(`${name} ends`)
      }
      await Promise.all(['a', 'b', 'c'].map((name) => store.exclusively(task(name))))
      const order = log.map((line) => line[0])
      expect(order).toHaveLength(6)
      for (let i = 0; i < 6; i += 2) expect(order[i]).toBe(order[i + 1])
    })
  })
}
