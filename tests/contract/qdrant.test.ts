/** The contract on the stub always, and on a real Qdrant where `QDRANT_URL` names one. */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { QdrantVectorStore } from '../../src/vectors/qdrant.ts'
import type { Quantization } from '../../src/vectors/qdrant-quantization.ts'
import { type QdrantStub, startQdrantStub } from '../qdrant-stub/server.ts'
import { filterContract } from './filters.ts'
import { maintenanceContract } from './maintenance.ts'
import { type StoreHarness, textItem, unit, vectorStoreContract } from './vector-store.ts'

const LIMITS = { attemptMs: 2000, deadlineMs: 1000, pauseMs: 5 }
const LOCK_TIMES = { lifeMs: 1000, patienceMs: 10_000 }
const describeCollection = (name: string) => ({ name, embedDim: 4, model: 'fake', metadata: {}, createdAt: '' })

/** Approximate search: what it finds bears its true score, and is nearly what an exact search finds. */
function quantizationContract(title: string, harness: () => Promise<StoreHarness>): void {
  it(`${title}: finds nearly the nearest, with their true scores`, async () => {
    const held = await harness()
    const store = await held.open()
    await store.createCollection({ ...describeCollection('wide'), embedDim: 128 })
    let state = 7
    const next = () => {
      state = (state * 48271) % 2147483647
      return state / 2147483647 - 0.5
    }
    const vectors = Array.from({ length: 120 }, () => unit(...Array.from({ length: 128 }, next)))
    const query = unit(...Array.from({ length: 128 }, next))
    await Promise.all(vectors.map((vector, n) => store.putItem('wide', textItem(`${n}`, vector))))
    const dot = (vector: Float32Array) => vector.reduce((sum, value, i) => sum + value * query[i]!, 0)
    const nearest = vectors.map((_, n) => n).sort((a, b) => dot(vectors[b]!) - dot(vectors[a]!))
    const hits = await store.search('wide', { vector: query, limit: 10, offset: 0 })
    expect(hits).toHaveLength(10)
    for (const { id, score } of hits) expect(score).toBeCloseTo(dot(vectors[Number(id)]!), 5)
    const found = nearest.slice(0, 10).filter((n) => hits.some(({ id }) => id === String(n)))
    expect(found.length).toBeGreaterThanOrEqual(8)
    await held.dispose()
  })
}

const started: QdrantStub[] = []
const onStub = async () => {
  const stub = await startQdrantStub()
  started.push(stub)
  const open = async (model?: string) => new QdrantVectorStore({ url: stub.url, model, lockTimes: LOCK_TIMES })
  return { open, dispose: () => stub.close() }
}

vectorStoreContract('QdrantVectorStore on the stub', onStub)
filterContract('QdrantVectorStore on the stub', onStub)
maintenanceContract('QdrantVectorStore on the stub', onStub)

describe('QdrantVectorStore on the stub: requests', () => {
  it('were all such as the OpenAPI of Qdrant describes', async ({ skip }) => {
    expect(started.length).toBeGreaterThan(0)
    if (!started.every(({ validates }) => validates))
      skip('Requests were NOT validated: Qdrant’s OpenAPI is not on this machine (ONEPEACE_QDRANT_OPENAPI).')
    expect(started.flatMap(({ violations }) => violations)).toEqual([])
  })
})

describe('QdrantVectorStore', () => {
  let stub: QdrantStub
  let store: QdrantVectorStore
  let name: string

  beforeAll(async () => {
    stub = await startQdrantStub({ apiKey: 'secret' })
    store = new QdrantVectorStore({ url: stub.url, apiKey: 'secret', limits: LIMITS })
    name = `acme.c-${randomUUID()}`
    await store.createCollection(describeCollection(name))
  })
  afterAll(() => stub.close())

  it('tries again when the connection breaks, the server fails or asks for patience', async () => {
    stub.faults.push('dropped', 503, 429)
    await store.createItem(name, textItem('patient'))
    stub.faults.push(500, 'dropped')
    expect(await store.getItem(name, 'patient')).toMatchObject({ id: 'patient' })
    expect(stub.faults).toEqual([])
  })

  it('knows its own creation again when only the answer to it was lost', async () => {
    stub.faults.push('none', 'done-but-dropped')
    await store.createItem(name, textItem('lost', unit(0, 1, 0, 0), { n: 1 }))
    expect(stub.faults).toEqual([])
    expect(await store.getItem(name, 'lost')).toMatchObject({ payload: { n: 1 } })
  })

  it('of creators in several processes lets exactly one win, with its windows and no others', async () => {
    const processes = Array.from(
      { length: 5 },
      () => new QdrantVectorStore({ url: stub.url, apiKey: 'secret', limits: LIMITS }),
    )
    const results = await Promise.allSettled(
      processes.map((each, n) => {
        const points = [unit(1, n, 0, 0), unit(0, 1, n, 0)].map((vector) => ({ vector }))
        return each.createItem(name, { ...textItem('raced', undefined, { n }), points })
      }),
    )
    const won = results.flatMap(({ status }, n) => (status === 'fulfilled' ? [n] : []))
    expect(won).toHaveLength(1)
    expect((await store.getItem(name, 'raced'))?.payload).toEqual({ n: won[0] })
    expect(await store.getVectors(name, 'raced')).toEqual([unit(1, won[0]!, 0, 0), unit(0, 1, won[0]!, 0)])
  })

  it('gives up at the deadline, and says when to come back', async () => {
    const { faults } = stub
    faults.push(...Array.from({ length: 100 }, () => 503))
    await expect(store.ready()).rejects.toMatchObject({ code: 'vector-store-unavailable', retryAfterS: 5 })
    faults.length = 0
    const nobody = new QdrantVectorStore({ url: 'http://127.0.0.1:9', limits: { ...LIMITS, deadlineMs: 50 } })
    await expect(nobody.ready()).rejects.toMatchObject({ code: 'vector-store-unavailable' })
  })

  it('does not wait for an answer that does not come, and asks again', async () => {
    const hasty = new QdrantVectorStore({ url: stub.url, apiKey: 'secret', limits: { ...LIMITS, attemptMs: 50 } })
    stub.faults.push('silent', 'silent')
    expect(await hasty.getCollection(name)).toMatchObject({ name })
    expect(stub.faults).toEqual([])
  })

  it('lets a busy server alone for as long as it asks, or gives up if that is too long', async () => {
    const open = (deadlineMs: number) =>
      new QdrantVectorStore({ url: stub.url, apiKey: 'secret', limits: { ...LIMITS, deadlineMs } }).server
    const before = stub.requests
    stub.faults.push('busy', 'none', 'busy')
    expect(await open(5000).collections()).not.toEqual([])
    expect(stub.requests - before).toBe(2)
    await expect(open(500).collections()).rejects.toMatchObject({ code: 'vector-store-unavailable' })
    expect(stub.requests - before).toBe(3)
  })

  it('does not try again what cannot pass, and names a wrong key', async () => {
    const before = stub.requests
    const stranger = new QdrantVectorStore({ url: stub.url, apiKey: 'wrong', limits: LIMITS })
    await expect(stranger.ready()).rejects.toThrow('QDRANT_API_KEY')
    expect(stub.requests - before).toBe(1)
  })

  it('refuses a server that would ignore insert_only', async () => {
    const old = await startQdrantStub({ version: '1.16.3' })
    const onOld = new QdrantVectorStore({ url: old.url, limits: LIMITS })
    await expect(onOld.ready()).rejects.toThrow('1.17 or later')
    await expect(onOld.createCollection(describeCollection('c'))).rejects.toMatchObject({
      code: 'vector-store-unavailable',
    })
    await old.close()
  })

  it('finds by their best window sounds of which others are replaced, and shows no window of before', async () => {
    const sound = (...vectors: Float32Array[]) => ({
      ...textItem('sound'),
      points: vectors.map((vector, i) => ({ vector, segment: { startMs: i, endMs: i + 1 } })),
    })
    await store.putItem(name, sound(unit(1, 0, 0, 0), unit(0, 0, 0, 1)))
    await store.putItem(name, sound(unit(1, 0, 0, 0), unit(0, 0, 1, 0)))
    const found = await store.search(name, { vector: unit(0, 0, 0, 1), limit: 9, offset: 0, eachSegment: true })
    expect(found.filter(({ id }) => id === 'sound').map(({ score }) => score)).toEqual([0, 0])
    expect(await store.getVectors(name, 'sound')).toEqual([unit(1, 0, 0, 0), unit(0, 0, 1, 0)])
  })

  it('gives equal scores in order of id across pages', async () => {
    const tied = `c-${randomUUID()}`
    await store.createCollection(describeCollection(tied))
    const ids = Array.from({ length: 30 }, (_, n) => `i${String(n).padStart(2, '0')}`)
    for (const id of ids) await store.putItem(tied, textItem(id))
    const page = (offset: number) => store.search(tied, { vector: unit(1, 0, 0, 0), limit: 4, offset })
    const pages = [...(await page(0)), ...(await page(4)), ...(await page(8))]
    expect(pages.map(({ id }) => id)).toEqual(ids.slice(0, 12))
  })

  it('shows a collection once it is whole: one whose creator died is finished by the next, who hears conflict', async () => {
    const half = `c-${randomUUID()}`
    const { server } = new QdrantVectorStore({ url: stub.url, apiKey: 'secret', limits: LIMITS })
    await server.createCollection(`${half}~1`, { v1: 4 }, { onepeace: JSON.stringify(describeCollection(half)) })
    expect(await store.getCollection(half)).toBeUndefined()
    expect((await store.listCollections()).map(({ name }) => name)).not.toContain(half)
    await expect(store.createCollection(describeCollection(half))).rejects.toMatchObject({ code: 'conflict' })
    expect(await store.getCollection(half)).toEqual({ ...describeCollection(half), itemCount: 0 })
    expect((await server.info(half)).indexes).toMatchObject({ facts: 'keyword', 'numbers[].value': 'float' })
    expect(await store.deleteCollection(half)).toBe(true)
    expect(await server.collections()).not.toContain(`${half}~1`)
  })

  it('goes on with a collection from before there were aliases', async () => {
    const old = `c-${randomUUID()}`
    const { server } = new QdrantVectorStore({ url: stub.url, apiKey: 'secret', limits: LIMITS })
    await server.createCollection(old, { v1: 4 }, { onepeace: JSON.stringify(describeCollection(old)) })
    await store.createItem(old, textItem('a'))
    expect((await store.listCollections()).map(({ name }) => name)).toContain(old)
    await expect(store.createCollection(describeCollection(old))).rejects.toMatchObject({ code: 'conflict' })
    expect(await store.deleteCollection(old)).toBe(true)
    expect(await store.getCollection(old)).toBeUndefined()
  })

  it('keeps a path in the address, and leaves collections of others alone', async () => {
    const other = new QdrantVectorStore({ url: stub.url, apiKey: 'secret', prefix: 'another-', limits: LIMITS })
    expect(await other.listCollections()).toEqual([])
    expect(await other.deleteCollection(name)).toBe(false)
    const nested = new QdrantVectorStore({ url: `${stub.url}/qdrant/`, apiKey: 'secret', limits: LIMITS })
    await expect(nested.ready()).rejects.toMatchObject({ code: 'vector-store-unavailable' })
    expect(stub.lastPath).toBe('/qdrant/collections')
  })
})

const url = process.env.QDRANT_URL
if (url) {
  const apiKey = process.env.QDRANT_API_KEY || undefined
  const onServer = (quantization: Quantization) => async () => {
    const prefix = `onepeace-test-${randomUUID().slice(0, 8)}-`
    const open = async (model?: string) =>
      new QdrantVectorStore({ url, apiKey, prefix, quantization, model, lockTimes: LOCK_TIMES })
    const dispose = async () => {
      const store = await open()
      for (const { name } of await store.listCollections()) await store.deleteCollection(name)
      await store.server.deleteCollection('.lock')
    }
    return { open, dispose }
  }
  vectorStoreContract('QdrantVectorStore on a server', onServer('none'))
  filterContract('QdrantVectorStore on a server', onServer('none'))
  maintenanceContract('QdrantVectorStore on a server', onServer('none'))
  for (const quantization of ['scalar', 'binary'] as const)
    quantizationContract(`QdrantVectorStore on a server, ${quantization} quantization`, onServer(quantization))
} else {
  it.skip('QdrantVectorStore on a server: set QDRANT_URL to run the contract on a real Qdrant', () => undefined)
}
