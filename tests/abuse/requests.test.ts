/** Requests that want us to fall over: none may end in a 5xx, and the service must answer the next one. */

import type { AddressInfo } from 'node:net'
import { connect } from 'node:net'
import { deflateSync } from 'node:zlib'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { call } from '../api/conforms.ts'
import { form, type Harness, startHarness, wav } from '../api/harness.ts'
import { dataUrl, png } from '../api/pictures.ts'

let h: Harness
beforeAll(async () => {
  h = await startHarness({ limits: { maxImagePixels: 1_000_000, maxAudioSeconds: 60 } })
  await call(h.app, { method: 'POST', url: '/v1/collections', payload: { name: 'wall' } })
})
afterEach(async () => {
  expect((await call(h.app, { method: 'GET', url: '/livez' })).statusCode).toBe(200)
})
afterAll(() => h.close())

const json = { 'content-type': 'application/json' }
const post = (url: string, payload: string | object, headers = json) =>
  call(h.app, { method: 'POST', url, payload, headers })
const embed = (bytes: Uint8Array, type: 'image' | 'audio' = 'image') =>
  post('/v1/embeddings', { input: { type: `${type}_url`, [`${type}_url`]: { url: dataUrl(bytes, `${type}/x`) } } })

it('JSON a hundred thousand deep, in bodies, metadata and filters', async () => {
  const deep = '['.repeat(100_000) + ']'.repeat(100_000)
  expect((await post('/v1/embeddings', `{"input": ${deep}}`)).statusCode).toBe(400)
  const metadata = `{"a": ${'{"a":'.repeat(5_000)}1${'}'.repeat(5_000)}}`
  const kept = await post('/v1/collections/wall/items', `{"input": "a", "metadata": ${metadata}}`)
  expect(kept.statusCode).toBe(400)
  const filter = `{"must": ${deep}}`
  expect((await post('/v1/collections/wall/search', `{"query": "a", "filter": ${filter}}`)).statusCode).toBe(400)
})

it('keys that mean something to JavaScript', async () => {
  for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
    expect((await post('/v1/embeddings', `{"input": "a", "${name}": {"x": 1}}`)).statusCode, name).toBe(400)
    const field = await form([
      ['text', 'a'],
      [name, 'x'],
    ])
    const sent = await call(h.app, { method: 'POST', url: '/v1/embeddings', ...field })
    expect(sent.statusCode, name).toBe(400)
    const query = { query: 'a', group_by: `metadata.${name}`, filter: { must: [{ key: name, exists: true }] } }
    expect((await post('/v1/collections/wall/search', query)).json().hits).toEqual([])
  }
  expect(({} as { x?: number }).x).toBeUndefined()
})

it('a form of ten thousand fields', async () => {
  const many = await form(Array.from({ length: 10_000 }, (_, i) => [`f${i}`, 'x'] as [string, string]))
  expect((await call(h.app, { method: 'POST', url: '/v1/embeddings', ...many })).statusCode).toBe(413)
})

it('NUL and lone surrogates in names, ids, keys and texts', async () => {
  for (const text of ['a\u0000b', '\ud800', '\udc00x']) {
    const body = (value: object) => JSON.stringify(value)
    expect((await post('/v1/collections', body({ name: text }))).statusCode).toBe(400)
    expect((await post('/v1/collections/wall/items', body({ id: text, input: 'a' }))).statusCode).toBe(400)
    expect((await post('/v1/collections/wall/search', body({ query: { item_id: text } }))).statusCode).toBe(400)
    const key = body({ query: 'a', filter: { must: [{ key: text, exists: true }] } })
    expect((await post('/v1/collections/wall/search', key)).statusCode).toBe(400)
    expect((await post('/v1/embeddings', body({ input: text }))).statusCode).toBeLessThan(500)
    const metadata = body({ input: 'a', metadata: { [text]: text } })
    expect((await post('/v1/collections/wall/items', metadata)).statusCode).toBeLessThan(500)
  }
  expect((await call(h.app, { method: 'GET', url: '/v1/collections/wall/items/a%00b' })).statusCode).toBe(400)
  expect((await call(h.app, { method: 'GET', url: '/v1/collections/..%2f..%2fetc' })).statusCode).toBe(400)
})

it('pictures that claim to be larger than they are, or are far larger than their bytes', async () => {
  const huge = Buffer.from(png(4, 4))
  huge.writeUInt32BE(60_000, 16)
  huge.writeUInt32BE(60_000, 20)
  expect((await embed(huge)).statusCode).toBe(422)
  expect((await embed(png(1001, 1000))).json().code).toBe('media-too-large')
})

it('files cut off anywhere, and files that are two things', async () => {
  const picture = png(9, 9)
  const pixelsEnd = picture.length - 16 // what follows is a check sum and the end mark, which Pillow does without as well
  for (let cut = 1; cut < pixelsEnd; cut += 7) {
    expect([415, 422]).toContain((await embed(picture.subarray(0, cut))).statusCode)
  }
  const sound = wav(0.2)
  for (let cut = 1; cut < 60; cut += 5) {
    expect([200, 415, 422]).toContain((await embed(sound.subarray(0, cut), 'audio')).statusCode)
  }
  const polyglot = Buffer.concat([picture, Buffer.from('<script>alert(1)</script>'), sound])
  expect((await embed(polyglot, 'audio')).statusCode).toBe(422)
})

it('SVG with external entities, HTML, archives and compressed bytes are no pictures', async () => {
  const svg =
    '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><svg xmlns="http://www.w3.org/2000/svg">&e;</svg>'
  for (const bytes of [svg, '<html>', 'PK\u0003\u0004', '%PDF-1.7']) {
    expect((await embed(Buffer.from(bytes))).statusCode).toBe(415)
  }
  expect((await embed(deflateSync(Buffer.alloc(1 << 20)))).statusCode).toBe(415)
})

it('a body that drips one byte at a time holds up nobody', async () => {
  await h.app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = h.app.server.address() as AddressInfo
  const socket = connect(port, '127.0.0.1')
  const head =
    'POST /v1/embeddings HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{'
  socket.write(head)
  const drip = setInterval(() => socket.write(' '), 10)
  expect((await post('/v1/embeddings', { input: 'meanwhile' })).statusCode).toBe(200)
  clearInterval(drip)
  socket.destroy()
})
