import { createHash } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readImageInfo } from '../../src/media/image.ts'
import { call } from './conforms.ts'
import { form, type Harness, MODEL, startHarness, wav } from './harness.ts'
import { dataUrl, png } from './pictures.ts'

let h: Harness
beforeAll(async () => {
  h = await startHarness()
  await post('/v1/collections', { name: 'things' })
})
afterAll(() => h.close())

const ITEMS = '/v1/collections/things/items'
const post = (url: string, payload: object) => call(h.app, { method: 'POST', url, payload })
const get = (url: string, headers = {}) => call(h.app, { method: 'GET', url, headers })
const sha256 = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest('hex')
const blobs = async () => {
  const names = await readdir(join(h.dir, 'blobs'), { recursive: true })
  return names.map((name) => name.split('/').at(-1)!).filter((name) => name.length === 64)
}

describe('collections', () => {
  it('are made, listed, described and deleted', async () => {
    const made = await post('/v1/collections', { name: 'a-1', metadata: { owner: 'ada' } })
    expect(made.statusCode).toBe(201)
    expect(made.headers.location).toBe('/v1/collections/a-1')
    expect(made.json()).toMatchObject({ name: 'a-1', model: MODEL, dims: 16, items: 0, metadata: { owner: 'ada' } })
    expect((await post('/v1/collections', { name: 'a-1' })).statusCode).toBe(409)
    expect((await get('/v1/collections')).json().collections.map((each: { name: string }) => each.name)).toContain(
      'a-1',
    )
    await post('/v1/collections/a-1/items', { input: 'in a-1 only' })
    expect((await get('/v1/collections/a-1')).json().items).toBe(1)
    expect((await call(h.app, { method: 'DELETE', url: '/v1/collections/a-1' })).statusCode).toBe(204)
    expect((await get('/v1/collections/a-1')).statusCode).toBe(404)
    expect((await call(h.app, { method: 'DELETE', url: '/v1/collections/a-1' })).statusCode).toBe(404)
    await expect.poll(async () => (await blobs()).includes(sha256('in a-1 only'))).toBe(false)
  })

  it.each(['', 'A', '-a', 'a b', 'a'.repeat(64), '../x', 'ü'])("refuse the name '%s'", async (name) => {
    expect((await post('/v1/collections', { name })).statusCode).toBe(400)
  })
})

describe('items', () => {
  it('keep a text', async () => {
    const response = await post(ITEMS, { id: 'note', input: 'a dog', metadata: { n: 1 } })
    expect(response.statusCode).toBe(201)
    expect(response.headers.location).toBe(`${ITEMS}/note`)
    const item = response.json()
    expect(item).toMatchObject({ id: 'note', modality: 'text', bytes: 5, sha256: sha256('a dog'), metadata: { n: 1 } })
    expect(item).not.toHaveProperty('segments')
    expect((await get(`${ITEMS}/note`)).json()).toEqual(item)
    const media = await get(item.media_url)
    expect(media.headers['content-type']).toBe('text/plain; charset=utf-8')
    expect(media.body).toBe('a dog')
  })

  it('keep a picture from a form, with an id of its own', async () => {
    const picture = png(12, 7)
    const body = await form([
      ['file', picture, 'holiday.txt'],
      ['metadata', '{"place":"sea"}'],
    ])
    const response = await call(h.app, { method: 'POST', url: ITEMS, ...body })
    expect(response.statusCode).toBe(201)
    const item = response.json()
    expect(item.media).toEqual({ mime_type: 'image/png', format: 'png', width: 12, height: 7 })
    expect(item.metadata).toEqual({ place: 'sea' })
    expect(item.id).toMatch(/^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/)
    expect((await get(item.media_url)).rawPayload.equals(picture)).toBe(true)
  })

  it('keep a long sound as windows', async () => {
    const input = { type: 'input_audio', input_audio: { data: wav(30).toString('base64'), format: 'wav' } }
    const item = (await post(ITEMS, { id: 'long', input })).json()
    expect(item.segments[0]).toEqual({ start_ms: 0, end_ms: 15_000 })
    expect(item.segments.at(-1).end_ms).toBe(30_000)
    expect(item.media).toMatchObject({ duration_ms: 30_000, sample_rate_hz: 16_000, channels: 1 })
    expect((await get(`${ITEMS}/long`)).json()).toEqual(item)
  })

  it('give ranges of the original, and nothing the client has', async () => {
    await post(ITEMS, { id: 'range', input: '0123456789' })
    const url = `${ITEMS}/range/media`
    const part = await get(url, { range: 'bytes=2-4' })
    expect([part.statusCode, part.body, part.headers['content-range']]).toEqual([206, '234', 'bytes 2-4/10'])
    expect((await get(url, { range: 'bytes=-3' })).body).toBe('789')
    expect((await get(url, { range: 'bytes=8-100' })).body).toBe('89')
    expect((await get(url, { range: 'lines=1-2' })).statusCode).toBe(200)
    const past = await get(url, { range: 'bytes=10-' })
    expect([past.statusCode, past.headers['content-range']]).toEqual([416, 'bytes */10'])
    const etag = String(part.headers.etag)
    expect((await get(url, { 'if-none-match': etag })).statusCode).toBe(304)
  })

  it('are created once', async () => {
    await post(ITEMS, { id: 'once', input: 'first' })
    const seen = h.encoder.seen.length
    expect((await post(ITEMS, { id: 'once', input: 'second' })).json().code).toBe('conflict')
    expect(h.encoder.seen).toHaveLength(seen)
    expect((await get(`${ITEMS}/once/media`)).body).toBe('first')
  })

  it('are put: created, then replaced, their old original gone', async () => {
    const put = (payload: object) => call(h.app, { method: 'PUT', url: `${ITEMS}/put`, payload })
    const first = await put({ input: 'old words' })
    expect(first.statusCode).toBe(201)
    const second = await put({
      input: { type: 'image_url', image_url: { url: dataUrl(png(3, 3)) } },
      metadata: { v: 2 },
    })
    expect(second.statusCode).toBe(200)
    expect(second.json()).toMatchObject({ modality: 'image', metadata: { v: 2 }, created_at: first.json().created_at })
    expect(await blobs()).not.toContain(sha256('old words'))
    expect((await put({ input: 'a', id: 'put' })).statusCode).toBe(400)
  })

  it('are deleted, and their original with the last that has it', async () => {
    await post(ITEMS, { id: 'twin-1', input: 'same bytes' })
    await post(ITEMS, { id: 'twin-2', input: 'same bytes' })
    const remove = (id: string) => call(h.app, { method: 'DELETE', url: `${ITEMS}/${id}` })
    expect((await remove('twin-1')).statusCode).toBe(204)
    expect((await get(`${ITEMS}/twin-2/media`)).body).toBe('same bytes')
    await remove('twin-2')
    expect(await blobs()).not.toContain(sha256('same bytes'))
    expect((await remove('twin-2')).statusCode).toBe(404)
  })

  it.each(["o'neil; DROP TABLE items", 'a/b', 'ü 日本 👩‍👩‍👧', '%2e%2e', 'a?b#c', '"', 'é'.repeat(256)])(
    "take the id '%s' and find it by its URL",
    async (id) => {
      const made = await post(ITEMS, { id, input: 'x' })
      expect(made.statusCode).toBe(201)
      expect((await get(String(made.headers.location))).json().id).toBe(id)
      expect((await get(made.json().media_url)).body).toBe('x')
      expect((await call(h.app, { method: 'DELETE', url: String(made.headers.location) })).statusCode).toBe(204)
    },
  )

  it.each(['', '.', '..', 'a\u0000b', 'a\nb', '\ud800', 'a'.repeat(257)])('refuse the id %j', async (id) => {
    expect((await post(ITEMS, { id, input: 'x' })).statusCode).toBe(400)
  })

  it('are listed by pages', async () => {
    await post('/v1/collections', { name: 'pages' })
    for (const id of ['d', 'b', 'a', 'ß', 'c']) await post('/v1/collections/pages/items', { id, input: id })
    const ids: string[] = []
    for (let url = '/v1/collections/pages/items?limit=2'; ; ) {
      const page = (await get(url)).json()
      ids.push(...page.items.map((item: { id: string }) => item.id))
      if (page.next_cursor === undefined) break
      url = `/v1/collections/pages/items?limit=2&cursor=${page.next_cursor}`
    }
    expect(ids).toEqual(['a', 'b', 'c', 'd', 'ß'])
    for (const bad of ['limit=0', 'limit=1001', 'limit=ten', 'limit=1.0', 'cursor=%25', 'offset=1']) {
      expect((await get(`/v1/collections/pages/items?${bad}`)).statusCode, bad).toBe(400)
    }
  })

  it.each([
    [
      'several parts',
      {
        input: {
          content: [
            { type: 'text', text: 'a' },
            { type: 'text', text: 'b' },
          ],
        },
      },
      'unprocessable-content',
    ],
    ['no part', { input: { content: [] } }, 'unprocessable-content'],
    ['metadata that are no object', { input: 'a', metadata: [1] }, 'invalid-request'],
    ['too much metadata', { input: 'a', metadata: { long: 'x'.repeat(65_536) } }, 'payload-too-large'],
  ])('refuse %s', async (_, payload, code) => {
    expect((await post(ITEMS, payload)).json().code).toBe(code)
  })
})

describe('GET …/thumbnail', () => {
  const at = (id: string, query = '') => `/v1/collections/thumbs/items/${id}/thumbnail${query}`
  beforeAll(async () => {
    await call(h.app, { method: 'POST', url: '/v1/collections', payload: { name: 'thumbs' } })
    const image = { type: 'image_url', image_url: { url: dataUrl(png(400, 100, [10, 200, 30])) } }
    for (const payload of [
      { id: 'wide', input: image },
      { id: 'words', input: 'a text' },
    ]) {
      await call(h.app, { method: 'POST', url: '/v1/collections/thumbs/items', payload })
    }
  })

  it('is a WebP that fits the square asked for, and keeps its shape', async () => {
    const response = await call(h.app, { method: 'GET', url: at('wide', '?size=100') })
    expect(response.headers['content-type']).toBe('image/webp')
    const { width, height } = await readImageInfo(response.rawPayload)
    expect([width, height]).toEqual([100, 25])
    const etag = String(response.headers.etag)
    const again = await call(h.app, { method: 'GET', url: at('wide', '?size=100'), headers: { 'if-none-match': etag } })
    expect(again.statusCode).toBe(304)
    expect((await call(h.app, { method: 'GET', url: at('wide') })).headers.etag).not.toBe(etag)
  })

  it('is not there for a text, and has no size beyond its bounds', async () => {
    expect((await call(h.app, { method: 'GET', url: at('words') })).statusCode).toBe(404)
    expect((await call(h.app, { method: 'GET', url: at('wide', '?size=5000') })).statusCode).toBe(400)
  })
})
