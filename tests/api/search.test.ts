import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { call } from './conforms.ts'
import { form, type Harness, MODEL, startHarness, wav } from './harness.ts'
import { dataUrl, png } from './pictures.ts'

let h: Harness
const red = png(5, 5, [255, 0, 0])
const tone = wav(2, 880)
beforeAll(async () => {
  h = await startHarness()
  const add = (payload: object) => call(h.app, { method: 'POST', url: '/v1/collections/zoo/items', payload })
  await call(h.app, { method: 'POST', url: '/v1/collections', payload: { name: 'zoo' } })
  await add({ id: 'dog', input: 'a dog', metadata: { legs: 4 } })
  await add({ id: 'cat', input: 'a cat' })
  await add({ id: 'red', input: { type: 'image_url', image_url: { url: dataUrl(red) } } })
  await add({ id: 'tone', input: { type: 'audio_url', audio_url: { url: dataUrl(tone, 'audio/wav') } } })
  await add({ id: 'long', input: { type: 'audio_url', audio_url: { url: dataUrl(wav(30, 300), 'audio/wav') } } })
})
afterAll(() => h.close())

const search = (payload: object, name = 'zoo') =>
  call(h.app, { method: 'POST', url: `/v1/collections/${name}/search`, payload })

describe('POST /v1/collections/{name}/search', () => {
  it('finds a text by its words', async () => {
    const response = await search({ query: 'a dog' })
    expect(response.statusCode).toBe(200)
    const { hits, model, took_ms } = response.json()
    expect(model).toBe(MODEL)
    expect(took_ms).toBeGreaterThan(0)
    expect(hits).toHaveLength(5)
    expect(hits[0]).toMatchObject({ id: 'dog', score: expect.closeTo(1, 5), modality: 'text', metadata: { legs: 4 } })
    expect(hits[0].media_url).toBe('/v1/collections/zoo/items/dog/media')
    expect(hits.filter((hit: { id: string }) => hit.id === 'long')).toHaveLength(1)
    expect(hits.find((hit: { id: string }) => hit.id === 'long').segment).toHaveProperty('start_ms')
  })

  it('finds by bytes, sent as form', async () => {
    const byPicture = await form([['file', red]])
    const url = '/v1/collections/zoo/search'
    expect((await call(h.app, { method: 'POST', url, ...byPicture })).json().hits[0].id).toBe('red')
    const bySound = await form([
      ['file', tone],
      ['limit', '1'],
      ['modalities', 'audio'],
      ['modalities', 'text'],
      ['include', 'embedding'],
    ])
    const { hits } = (await call(h.app, { method: 'POST', url, ...bySound })).json()
    expect(hits).toHaveLength(1)
    expect(hits[0].id).toBe('tone')
    expect(hits[0]).not.toHaveProperty('metadata')
    expect(hits[0].embedding).toHaveLength(16)
  })

  it('weighs the parts of a query', async () => {
    const query = (weight: number) => ({
      content: [
        { type: 'text', text: 'a dog' },
        { type: 'text', text: 'a cat', weight },
      ],
    })
    const ids = async (weight: number) =>
      (await search({ query: query(weight), modalities: ['text'] })).json().hits.map((hit: { id: string }) => hit.id)
    expect(await ids(5)).toEqual(['cat', 'dog'])
    expect(await ids(0.1)).toEqual(['dog', 'cat'])
    const parts: [string, string][] = [
      ['text', 'a dog'],
      ['text', 'a cat'],
      ['weight', '1'],
    ]
    const url = '/v1/collections/zoo/search'
    const body = await form([...parts, ['weight', '5']])
    expect((await call(h.app, { method: 'POST', url, ...body })).json().hits[0].id).toBe('cat')
    expect((await call(h.app, { method: 'POST', url, ...(await form(parts)) })).json().errors[0].pointer).toBe(
      '/weight',
    )
  })

  it('pages, and keeps to modalities and threshold', async () => {
    const all = (await search({ query: 'a dog' })).json().hits.map((hit: { id: string }) => hit.id)
    const page = await search({ query: 'a dog', offset: 1, limit: 2, include: [] })
    expect(page.json().hits.map((hit: { id: string }) => hit.id)).toEqual(all.slice(1, 3))
    const images = (await search({ query: 'a dog', modalities: ['image'] })).json().hits
    expect(images.map((hit: { id: string }) => hit.id)).toEqual(['red'])
    expect((await search({ query: 'a dog', score_threshold: 0.999 })).json().hits).toHaveLength(1)
  })

  it.each([
    ['an unknown collection', { query: 'a' }, 404, 'not-found', 'nowhere'],
    ['an unusable name', { query: 'a' }, 400, 'invalid-request', 'Nowhere'],
    ['an empty query', { query: { content: [] } }, 422, 'unprocessable-content', 'zoo'],
    [
      'parts that cancel out',
      {
        query: {
          content: [
            { type: 'text', text: 'a' },
            { type: 'text', text: 'a', weight: -1 },
          ],
        },
      },
      422,
      'unprocessable-content',
      'zoo',
    ],
    ['limit 0', { query: 'a', limit: 0 }, 400, 'invalid-request', 'zoo'],
    ['limit 1001', { query: 'a', limit: 1001 }, 400, 'invalid-request', 'zoo'],
    ['a limit in quotes', { query: 'a', limit: '5' }, 400, 'invalid-request', 'zoo'],
    ['a modality there is not', { query: 'a', modalities: ['video'] }, 400, 'invalid-request', 'zoo'],
  ])('refuses %s', async (_, payload, status, code, name) => {
    const response = await search(payload, name)
    expect([response.statusCode, response.json().code]).toEqual([status, code])
  })
})

describe('search options', () => {
  const url = '/v1/collections/album'
  beforeAll(async () => {
    await call(h.app, { method: 'POST', url: '/v1/collections', payload: { name: 'album' } })
    const add = (payload: object) => call(h.app, { method: 'POST', url: `${url}/items`, payload })
    for (let n = 0; n < 12; n++) await add({ id: `n${n}`, input: `text ${n}`, metadata: { n, half: n % 2 } })
    await add({ id: 'photo', input: { type: 'image_url', image_url: { url: dataUrl(png(40, 20)) } } })
    await add({ id: 'song', input: { type: 'audio_url', audio_url: { url: dataUrl(wav(30, 300), 'audio/wav') } } })
  })
  const find = async (payload: object) => (await search(payload, 'album')).json()
  const ids = async (payload: object): Promise<string[]> =>
    (await find(payload)).hits.map(({ id }: { id: string }) => id)
  const odd = { must: [{ key: 'half', match: { value: 1 } }] }

  it('a filter narrows hits and lists alike, in JSON, form and query', async () => {
    const found = await ids({ query: 'text 1', filter: odd })
    expect(found[0]).toBe('n1')
    expect([...found].sort()).toEqual(['n1', 'n11', 'n3', 'n5', 'n7', 'n9'])
    const sent = await form([
      ['text', 'text 1'],
      ['filter', JSON.stringify(odd)],
    ])
    const byForm = (await call(h.app, { method: 'POST', url: `${url}/search`, ...sent })).json()
    expect(byForm.hits.map(({ id }: { id: string }) => id)).toEqual(found)
    const query = `?filter=${encodeURIComponent(JSON.stringify(odd))}&limit=4`
    const page = (await call(h.app, { method: 'GET', url: `${url}/items${query}` })).json()
    const next = (await call(h.app, { method: 'GET', url: `${url}/items${query}&cursor=${page.next_cursor}` })).json()
    expect([...page.items, ...next.items].map(({ id }) => id)).toEqual([...found].sort())
  })

  it('refuses a filter outside the grammar, whatever it holds', async () => {
    for (const filter of [
      { must: [{ key: 'n' }] },
      { must: [{ key: 'n', range: {} }] },
      { must: [{ key: 'n', range: { gt: '1' } }] },
      { must: [{ key: 'n', match: { value: null } }] },
      { must: [{ key: 'a\u0000b', exists: true }] },
      { must: [{ key: 'n', match: { value: 'a\u0000b' } }] },
      { must: [{ key: 'n', match: { value: '\ud800' } }] },
      { unknown: [] },
    ]) {
      expect((await search({ query: 'a', filter }, 'album')).statusCode, JSON.stringify(filter)).toBe(400)
    }
    for (const filter of ['{', '[]', '{"must":[{}]}']) {
      const list = `${url}/items?filter=${encodeURIComponent(filter)}`
      expect((await call(h.app, { method: 'GET', url: list })).statusCode, filter).toBe(400)
    }
  })

  it('a stored item is searched with, and is not its own hit', async () => {
    const like = await ids({ query: { item_id: 'n1' }, limit: 3 })
    expect(like).toEqual((await ids({ query: 'text 1', limit: 4 })).slice(1))
    expect(await ids({ query: { item_id: 'song' }, limit: 100 })).not.toContain('song')
    expect((await search({ query: { item_id: 'none' } }, 'album')).json().code).toBe('not-found')
  })

  it('diversity keeps the best hit first and reorders the others; none changes nothing', async () => {
    const plain = await ids({ query: 'text 1', limit: 14 })
    expect(await ids({ query: 'text 1', limit: 14, diversity: 0 })).toEqual(plain)
    const diverse = await ids({ query: 'text 1', limit: 14, diversity: 0.9 })
    expect(diverse[0]).toBe(plain[0])
    expect(diverse).not.toEqual(plain)
    expect([...diverse].sort()).toEqual([...plain].sort())
    const page = await ids({ query: 'text 1', limit: 3, offset: 2, diversity: 0.9 })
    expect(page).toEqual(diverse.slice(2, 5))
    expect((await find({ query: 'text 1', diversity: 0.5 })).hits[0].embedding).toBeUndefined()
    expect((await search({ query: 'a', diversity: 0.1, offset: 200 }, 'album')).statusCode).toBe(413)
  })

  it('groups by a key of the metadata, or not even by item', async () => {
    const grouped = await ids({ query: 'text 1', group_by: 'metadata.half', modalities: ['text'] })
    expect(grouped).toHaveLength(2)
    expect(grouped[0]).toBe('n1')
    const windows = (await find({ query: 'x', group_by: 'segment', modalities: ['audio'] })).hits
    expect(windows.length).toBeGreaterThan(1)
    expect(new Set(windows.map(({ segment }: { segment: object }) => JSON.stringify(segment))).size).toBe(
      windows.length,
    )
    expect(await ids({ query: 'x', modalities: ['audio'] })).toEqual(['song'])
    expect((await search({ query: 'x', group_by: 'n' }, 'album')).statusCode).toBe(400)
  })

  it('groups by what filters would find under the key: arrays as their elements, a dot in a name as one', async () => {
    const put = (id: string, metadata: object) =>
      call(h.app, {
        method: 'PUT',
        url: `/v1/collections/dotted/items/${id}`,
        payload: { input: `text ${id}`, metadata },
      })
    await call(h.app, { method: 'POST', url: '/v1/collections', payload: { name: 'dotted' } })
    await put('1', { a: { b: 1 } })
    await put('2', { 'a.b': 1 })
    await put('3', { a: [{ b: [1] }] })
    await put('4', { a: { b: [1, 2] } })
    await put('5', { a: {} })
    await put('6', { a: { b: null } })
    const { hits } = (await search({ query: 'text 1', group_by: 'metadata.a.b' }, 'dotted')).json()
    const found: string[] = hits.map(({ id }: { id: string }) => id)
    expect(found.filter((id) => ['1', '2', '3'].includes(id))).toEqual(['1'])
    expect(found.filter((id) => ['4', '5', '6'].includes(id)).sort()).toEqual(['4', '5', '6'])
  })

  it('points at the phrase in each picture found', async () => {
    expect((await search({ query: 'a dog', ground: true }, 'album')).json().code).toBe('unsupported-by-model')
    h.encoder.heads = [{ name: 'boxes', task: 'grounding', inputs: ['text', 'image'], classes: 4 }]
    h.encoder.answer = () => ({ logits: new Float32Array(4), dims: [4], boxes: Float32Array.of(0.25, 0.5, 0.75, 1) })
    const { hits } = await find({ query: 'a dog', ground: true, limit: 20 })
    const photo = hits.find(({ id }: { id: string }) => id === 'photo')
    expect(photo.grounding).toMatchObject({ phrase: 'a dog', box: { x1: 10, y1: 10, x2: 30, y2: 20 } })
    expect(hits.filter(({ grounding }: { grounding?: object }) => grounding)).toHaveLength(1)
    const named = await find({ query: { item_id: 'n1' }, ground: 'the red car', modalities: ['image'] })
    expect(named.hits[0].grounding.phrase).toBe('the red car')
    expect((await search({ query: { item_id: 'n1' }, ground: true }, 'album')).statusCode).toBe(422)
    expect((await search({ query: 'a dog', ground: true, limit: 101 }, 'album')).statusCode).toBe(413)
    h.encoder.heads = []
  })
})
