/** Threshold, offset, filter, groups and diversity at once: each option means the same beside the others. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { call } from './conforms.ts'
import { type Harness, startHarness, wav } from './harness.ts'
import { dataUrl } from './pictures.ts'

let h: Harness
const url = '/v1/collections/mixed'
interface Found {
  id: string
  score: number
  segment?: object
}
const search = (payload: object | string) =>
  call(h.app, { method: 'POST', url: `${url}/search`, payload, headers: { 'content-type': 'application/json' } })
const hits = async (payload: object): Promise<Found[]> => (await search(payload)).json().hits
const ids = async (payload: object) => (await hits(payload)).map(({ id }) => id)

beforeAll(async () => {
  h = await startHarness()
  await call(h.app, { method: 'POST', url: '/v1/collections', payload: { name: 'mixed' } })
  const add = (payload: object) => call(h.app, { method: 'POST', url: `${url}/items`, payload })
  for (let n = 0; n < 120; n++) {
    await add({ id: `n${n}`, input: `text ${n}`, metadata: { n, third: n % 3, ...(n % 2 && { odd: true }) } })
  }
  await add({ id: 'song', input: { type: 'audio_url', audio_url: { url: dataUrl(wav(60, 300), 'audio/wav') } } })
})
afterAll(() => h.close())

const filter = { must: [{ key: 'n', range: { gte: 20 } }], must_not: [{ key: 'third', match: { value: 0 } }] }

describe('search options together', () => {
  it('a filtered search gives `limit` hits though the nearest are filtered out', async () => {
    const found = await ids({ query: 'text 3', filter, limit: 50 })
    expect(found).toHaveLength(50)
    expect(found).not.toContain('n3')
  })

  it.each([
    ['nothing else', {}],
    ['a filter', { filter }],
    ['a stored item', { query: { item_id: 'n7' } }],
    ['groups by metadata', { group_by: 'metadata.n' }],
    ['windows as hits', { group_by: 'segment' }],
    ['all of them', { filter, query: { item_id: 'n25' }, group_by: 'metadata.odd' }],
  ])('threshold and offset cut the same list beside %s', async (_, options) => {
    const ask = { query: 'text 3', ...options }
    const all = await hits({ ...ask, limit: 1000 })
    const threshold = all[Math.floor(all.length / 2)]!.score - 1e-6
    const above = all.filter(({ score }) => score >= threshold).map(({ id }) => id)
    expect(await ids({ ...ask, limit: 1000, score_threshold: threshold })).toEqual(above)
    expect(await ids({ ...ask, limit: 3, offset: 2, score_threshold: threshold })).toEqual(above.slice(2, 5))
    expect(await ids({ ...ask, limit: 3, offset: above.length, score_threshold: threshold })).toEqual([])
  })

  it('a long sound searched with leaves out all its windows', async () => {
    const found = await ids({ query: { item_id: 'song' }, group_by: 'segment', limit: 1000 })
    expect(found).toHaveLength(120)
    expect(found).not.toContain('song')
  })

  it('diversity keeps to filter and threshold', async () => {
    const plain = await hits({ query: 'text 3', filter, limit: 100 })
    const threshold = plain[20]!.score - 1e-6
    const diverse = await ids({ query: 'text 3', filter, diversity: 0.7, score_threshold: threshold, limit: 100 })
    expect([...diverse].sort()).toEqual(
      plain
        .filter(({ score }) => score >= threshold)
        .map(({ id }) => id)
        .sort(),
    )
  })

  it('pages of a diverse search neither repeat nor leave out a hit', async () => {
    const pages: string[] = []
    for (let offset = 0; offset < 60; offset += 10) {
      pages.push(...(await ids({ query: 'text 3', diversity: 0.7, limit: 10, offset })))
    }
    expect(new Set(pages).size).toBe(60)
    expect(pages).toEqual(await ids({ query: 'text 3', diversity: 0.7, limit: 60 }))
  })

  it('refuses numbers that are not finite', async () => {
    const body = '{"query":"a","filter":{"must":[{"key":"n","match":{"value":1e999}}]}}'
    expect((await search(body)).statusCode).toBe(400)
    expect((await search(body.replace('"match":{"value"', '"range":{"gt"'))).statusCode).toBe(400)
  })

  it('a number too large to store is as absent from filters as from the item', async () => {
    const payload = '{"id":"inf","input":"x","metadata":{"huge":1e999}}'
    const headers = { 'content-type': 'application/json' }
    const made = await call(h.app, { method: 'POST', url: `${url}/items`, payload, headers })
    expect(made.statusCode).toBe(201)
    const { metadata } = (await call(h.app, { method: 'GET', url: `${url}/items/inf` })).json()
    expect(metadata).toEqual({ huge: null })
    const exists = await ids({ query: 'x', filter: { must: [{ key: 'huge', exists: true }] } })
    expect(exists).toEqual([])
  })
})
