/** The contract on the stub always, and on a real Qdrant where `QDRANT_URL` names one. */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { QdrantVectorStore } from '../../src/vectors/qdrant.ts'
import { type QdrantStub, startQdrantStub } from '../qdrant-stub/server.ts'
import { filterContract } from './filters.ts'
import { textItem, unit, vectorStoreContract } from './vector-store.ts'

const LIMITS = { attemptMs: 2000, deadlineMs: 1000, pauseMs: 5 }
const describeCollection = (name: string) => ({ name, embedDim: 4, model: 'fake', metadata: {}, createdAt: '' })

const started: QdrantStub[] = []
const onStub = async () => {
  const stub = await startQdrantStub()
  started.push(stub)
  return { open: async () => new QdrantVectorStore({ url: stub.url }), dispose: () => stub.close() }
}

vectorStoreContract('QdrantVectorStore on the stub', onStub)
filterContract('QdrantVectorStore on the stub', onStub)

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
  const onServer = async () => {
    const prefix = `onepeace-test-${randomUUID().slice(0, 8)}-`
    const open = async () => new QdrantVectorStore({ url, apiKey, prefix })
    const dispose = async () => {
      const store = await open()
      for (const { name } of await store.listCollections()) await store.deleteCollection(name)
    }
    return { open, dispose }
  }
  vectorStoreContract('QdrantVectorStore on a server', onServer)
  filterContract('QdrantVectorStore on a server', onServer)
} else {
  it.skip('QdrantVectorStore on a server: set QDRANT_URL to run the contract on a real Qdrant', () => undefined)
}
