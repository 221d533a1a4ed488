/** What the lock, the migrations and a second model's vectors do on Qdrant when processes meet; on the stub. */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { CatchUp } from '../../src/services/catch-up.ts'
import type { ItemToFill } from '../../src/vectors/maintenance.ts'
import { migrate, plan } from '../../src/vectors/migrations/migrate.ts'
import { QdrantVectorStore } from '../../src/vectors/qdrant.ts'
import { INDEXES } from '../../src/vectors/qdrant-catalog.ts'
import type { Quantization } from '../../src/vectors/qdrant-quantization.ts'
import { type QdrantStub, startQdrantStub } from '../qdrant-stub/server.ts'
import { textItem, unit } from './vector-store.ts'

const OLD = unit(1, 0, 0, 0)
const TARGET = { model: 'new', embedDim: 3 }
const LIMITS = { attemptMs: 2000, deadlineMs: 1000, pauseMs: 5 }

let stub: QdrantStub
beforeAll(async () => {
  stub = await startQdrantStub()
})
afterAll(() => stub.close())

const open = (options: { model?: string; quantization?: Quantization; lifeMs?: number; patienceMs?: number } = {}) => {
  const { model, quantization, lifeMs = 200, patienceMs = 5000 } = options
  return new QdrantVectorStore({
    url: stub.url,
    model,
    quantization,
    limits: LIMITS,
    lockTimes: { lifeMs, patienceMs },
  })
}

const describeCollection = (name: string) => ({ name, embedDim: 4, model: 'old', metadata: {}, createdAt: '' })

/** As an earlier version left one: the plain name, no index for ranges. */
async function olderCollection(): Promise<string> {
  const name = `c-${randomUUID()}`
  const { server } = open()
  await server.createCollection(name, { v1: 4 }, { onepeace: JSON.stringify(describeCollection(name)) })
  await server.index(name, 'facts', 'keyword')
  return name
}

async function planned(store: QdrantVectorStore): Promise<string[]> {
  const steps = await plan(store)
  return steps.flatMap(({ migration, collections }) => collections.map((each) => `${migration.id} ${each}`))
}

async function onlyMissing(store: QdrantVectorStore, name: string): Promise<ItemToFill[]> {
  const all: ItemToFill[] = []
  for await (const each of (await store.reembedding(name, TARGET)).missing()) all.push(each)
  return all
}

it('says what older collections lack, gives it to them once, and then has nothing to do', async () => {
  const names = [await olderCollection(), await olderCollection()].sort()
  const store = open()
  await store.createCollection(describeCollection(`c-${randomUUID()}`))
  expect(await planned(store)).toEqual(names.map((name) => `0002-range-indexes ${name}`))
  const done: string[] = []
  // Two processes that start at once, both seeing what is pending.
  const starts = [open(), open()].map((each) => migrate(each, { begins: ({ id }, name) => done.push(`${id} ${name}`) }))
  await Promise.all(starts)
  expect(done.sort()).toEqual(names.map((name) => `0002-range-indexes ${name}`))
  expect(Object.keys((await store.server.info(names[0]!)).indexes).sort()).toEqual(
    INDEXES.map(([field]) => field).sort(),
  )
  const before = stub.requests
  await migrate(store)
  expect(await planned(store)).toEqual([])
  expect(stub.requests).toBeGreaterThan(before)
})

it('goes on where a migration broke off', async () => {
  const name = await olderCollection()
  const store = open()
  let indexed = 0
  const { server } = store
  const index = server.index.bind(server)
  server.index = async (...parameters) => {
    if (indexed++ === 2) throw new Error('killed')
    await index(...parameters)
  }
  await expect(migrate(store)).rejects.toThrow('killed')
  expect(Object.keys((await server.info(name)).indexes)).toHaveLength(3)
  await migrate(open())
  expect(Object.keys((await server.info(name)).indexes)).toHaveLength(INDEXES.length)
})

it('makes the quantisation of collections that are there what is asked for', async () => {
  const store = open()
  const name = `c-${randomUUID()}`
  await store.createCollection(describeCollection(name))
  const scalar = open({ quantization: 'scalar' })
  expect(await planned(scalar)).toContain(`0003-quantization ${name}`)
  await migrate(scalar)
  expect((await store.server.info(name)).quantization).toMatchObject({ scalar: { type: 'int8' } })
  expect(await planned(scalar)).toEqual([])
  await migrate(store)
  expect((await store.server.info(name)).quantization).toBeNull()
})

it('waits for a living holder of the lock, and names it when it waited long enough', async () => {
  const holder = open({ lifeMs: 600 })
  await holder.exclusively(async (signal) => {
    // Longer than a holder's life without a sign of it.
    await expect(open({ lifeMs: 600, patienceMs: 1500 }).exclusively(async () => 'never')).rejects.toThrow(
      `Process ${process.pid}`,
    )
    expect(signal.aborted).toBe(false)
  })
  expect(await open().exclusively(async () => 'now')).toBe('now')
})

it('takes the lock over from a process that died, and tells one that only slept', async () => {
  const { server } = open()
  const dead = { owner: 'dead', beat: 'last', host: 'gone', pid: 1, life_ms: 200 }
  await server.createCollection('.lock', { unused: 1 }, {})
  const points = [{ id: '00000000-0000-8000-8000-000000000001', vector: {}, payload: dead }]
  await server.points.write('.lock', [{ upsert: { points } }])
  expect(await Promise.all([open(), open()].map((each, n) => each.exclusively(async () => n)))).toEqual([0, 1])

  const asleep = open({ lifeMs: 90 })
  const lost = asleep.exclusively(async (signal) => {
    await server.points.write('.lock', [{ upsert: { points } }])
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
    signal.throwIfAborted()
  })
  await expect(lost).rejects.toThrow('Another process took over')
  expect(await server.points.payload('.lock', points[0]!.id)).toMatchObject({ owner: 'dead' })
})

it('never gives an item the vector of another that took its place meanwhile', async () => {
  const store = open({ model: 'old' })
  const name = `c-${randomUUID()}`
  await store.createCollection(describeCollection(name))
  for (const id of ['replaced', 'deleted']) await store.putItem(name, textItem(id, OLD))
  const reembedding = await store.reembedding(name, TARGET)
  const read = await onlyMissing(store, name)
  await store.putItem(name, textItem('replaced', OLD, { again: true }))
  await store.deleteItem(name, 'deleted')
  expect(await reembedding.fill(read.map((each) => ({ ...each, points: [{ vector: unit(1, 0, 0) }] })))).toEqual([])
  expect((await onlyMissing(store, name)).map(({ item }) => item.payload)).toEqual([{ again: true }])
})

it('serves both models until one is dropped: each catches up with what the other writes', async () => {
  const old = open({ model: 'old' })
  const name = `c-${randomUUID()}`
  await old.createCollection(describeCollection(name))
  await old.putItem(name, textItem('first', OLD))
  const encoders = { old: OLD, new: unit(0, 1, 0) }
  const catchUp = (model: 'old' | 'new') => {
    const content = { encodePart: async () => ({ points: [{ vector: encoders[model] }] }) as never }
    const blobs = { bytes: async () => Buffer.from('words') }
    const { length } = encoders[model]
    return new CatchUp(open({ model }), { model, embedDim: length }, { content, blobs })
  }
  const reembedding = await old.reembedding(name, TARGET)
  await reembedding.fill(
    (await onlyMissing(old, name)).map((each) => ({ ...each, points: [{ vector: encoders.new }] })),
  )
  const young = open({ model: 'new' })
  expect(await young.getCollection(name)).toMatchObject({ model: 'old' })
  expect(await reembedding.complete()).toBe(true)
  expect(await young.getCollection(name)).toMatchObject(TARGET)
  expect(await old.getCollection(name)).toMatchObject({ model: 'old', embedDim: 4 })

  await old.putItem(name, textItem('of old', OLD))
  await young.putItem(name, textItem('of new', encoders.new))
  const found = async (store: QdrantVectorStore, vector: Float32Array) =>
    (await store.search(name, { vector, limit: 9, offset: 0 })).map(({ id }) => id)
  expect(await found(young, encoders.new)).toEqual(['first', 'of new'])
  await expect(young.getVectors(name, 'of old')).rejects.toMatchObject({ code: 'vector-store-unavailable' })
  await catchUp('new').once()
  await catchUp('old').once()
  expect(await found(young, encoders.new)).toEqual(['first', 'of new', 'of old'])
  expect(await found(old, OLD)).toEqual(['first', 'of new', 'of old'])

  expect(await reembedding.dropOthers()).toEqual(['old'])
  expect(await reembedding.dropOthers()).toEqual([])
  await expect(old.putItem(name, textItem('too late', OLD))).rejects.toMatchObject({ code: 'conflict' })
  expect(await found(young, encoders.new)).toHaveLength(3)
  await catchUp('old').once()
  expect((await old.server.info(name)).vectors).toEqual(['v2'])
})

it('made only requests that the OpenAPI of Qdrant describes', ({ skip }) => {
  if (!stub.validates) skip('Requests were NOT validated: Qdrant’s OpenAPI is not on this machine.')
  expect(stub.violations).toEqual([])
})
