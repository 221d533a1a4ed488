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
    ['filters, which come later', { query: 'a', filter: {} }, 400, 'invalid-request', 'zoo'],
    ['item ids, which come later', { query: { item_id: 'dog' } }, 400, 'invalid-request', 'zoo'],
  ])('refuses %s', async (_, payload, status, code, name) => {
    const response = await search(payload, name)
    expect([response.statusCode, response.json().code]).toEqual([status, code])
  })
})
