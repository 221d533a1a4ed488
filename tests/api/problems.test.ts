import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { call } from './conforms.ts'
import { form, type Harness, startHarness, wav } from './harness.ts'
import { png } from './pictures.ts'

let h: Harness
beforeAll(async () => {
  h = await startHarness({ limits: { maxRequestBytes: 200_000 } })
  await call(h.app, { method: 'POST', url: '/v1/collections', payload: { name: 'c' } })
})
afterAll(() => h.close())
// The service goes on, whatever it was sent.
afterEach(async () => {
  expect(
    (await call(h.app, { method: 'POST', url: '/v1/embeddings', payload: { input: 'still here' } })).statusCode,
  ).toBe(200)
})

const JSON_TYPE = { 'content-type': 'application/json' }

describe('bad files', () => {
  it.each([
    ['an empty file', Buffer.alloc(0), 422, 'undecodable-media'],
    ['a truncated PNG', png(60, 60).subarray(0, 80), 422, 'undecodable-media'],
    ['a text named .jpg', Buffer.from('This is no picture.'), 415, 'unsupported-media-type'],
    ['a PNG of 200 megapixels', png(4, 4, [0, 0, 0], { width: 20_000, height: 10_000 }), 422, 'media-too-large'],
    ['a WAV of no length', wav(0), 422, 'undecodable-media'],
  ])('%s', async (_, bytes, status, code) => {
    for (const url of ['/v1/embeddings', '/v1/collections/c/items', '/v1/collections/c/search']) {
      const response = await call(h.app, { method: 'POST', url, ...(await form([['file', bytes, 'picture.jpg']])) })
      expect([url, response.statusCode, response.json().code]).toEqual([url, status, code])
    }
  })
})

describe('bad requests', () => {
  it.each([
    ['broken JSON', '/v1/embeddings', '{"input":', JSON_TYPE, 400, 'invalid-request'],
    ['no body', '/v1/embeddings', '', JSON_TYPE, 400, 'invalid-request'],
    ['no body and no type', '/v1/embeddings', undefined, {}, 400, 'invalid-request'],
    ['a list for an object', '/v1/embeddings', '[]', JSON_TYPE, 400, 'invalid-request'],
    ['prototype pollution', '/v1/embeddings', '{"input":"a","__proto__":{}}', JSON_TYPE, 400, 'invalid-request'],
    ['plain text', '/v1/embeddings', 'a dog', { 'content-type': 'text/plain' }, 415, 'unsupported-media-type'],
    [
      'a form where only JSON goes',
      '/v1/collections',
      '--x--',
      { 'content-type': 'multipart/form-data; boundary=x' },
      415,
      'unsupported-media-type',
    ],
    [
      'a form without boundary',
      '/v1/embeddings',
      'x',
      { 'content-type': 'multipart/form-data' },
      400,
      'invalid-request',
    ],
    [
      'a form cut off',
      '/v1/embeddings',
      '--x\r\ncontent-disposition: form-data; name="text"\r\n\r\na',
      { 'content-type': 'multipart/form-data; boundary=x' },
      400,
      'invalid-request',
    ],
    [
      'too much JSON',
      '/v1/embeddings',
      JSON.stringify({ input: 'x'.repeat(200_000) }),
      JSON_TYPE,
      413,
      'payload-too-large',
    ],
    ['an unknown collection', '/v1/collections/nowhere/items', '{"input":"a"}', JSON_TYPE, 404, 'not-found'],
    ['an unknown path', '/v2/embeddings', '{}', JSON_TYPE, 404, 'not-found'],
    ['a path that cannot be decoded', '/v1/collections/%zz', '{}', JSON_TYPE, 400, 'invalid-request'],
  ])('%s', async (_, url, payload, headers, status, code) => {
    const response = await call(h.app, { method: 'POST', url, headers, ...(payload !== undefined && { payload }) })
    expect([response.statusCode, response.json().code]).toEqual([status, code])
    expect(response.json().instance).toBe(url)
  })

  it('a form too large, an unknown field, a file as option, an option twice', async () => {
    const send = async (fields: Parameters<typeof form>[0]) =>
      (await call(h.app, { method: 'POST', url: '/v1/embeddings', ...(await form(fields)) })).json()
    expect((await send([['file', Buffer.alloc(300_000)]])).code).toBe('payload-too-large')
    expect(
      (
        await send([
          ['text', 'a'],
          ['colour', 'red'],
        ])
      ).errors[0].pointer,
    ).toBe('/colour')
    expect(
      (
        await send([
          ['text', 'a'],
          ['model', Buffer.from('x')],
        ])
      ).errors[0].pointer,
    ).toBe('/model')
    expect(
      (
        await send([
          ['text', 'a'],
          ['model', 'a'],
          ['model', 'b'],
        ])
      ).errors[0].pointer,
    ).toBe('/model')
    expect((await send([['file', 'words, not a file']])).errors[0].pointer).toBe('/file')
    expect((await send([])).code).toMatch(/invalid-request|unprocessable-content/)
  })

  it('405 with the methods there are', async () => {
    const response = await call(h.app, { method: 'PATCH', url: '/v1/collections/c/items/1' })
    expect([response.statusCode, response.headers.allow]).toEqual([405, 'GET, PUT, DELETE, HEAD'])
    expect((await call(h.app, { method: 'GET', url: '/v1/embeddings' })).headers.allow).toBe('POST')
  })

  it('echoes a sane request id and replaces any other', async () => {
    const id = async (given: string) =>
      (await call(h.app, { method: 'GET', url: '/nowhere', headers: { 'x-request-id': given } })).json().request_id
    expect(await id('my-request:1.2')).toBe('my-request:1.2')
    expect(await id('<script>')).toMatch(/^[\da-f-]{36}$/)
    expect(await id('x'.repeat(129))).toMatch(/^[\da-f-]{36}$/)
  })

  it('keeps other host names and web pages out', async () => {
    const from = async (headers: Record<string, string>) =>
      (await call(h.app, { method: 'GET', url: '/livez', headers })).statusCode
    expect(await from({ host: 'evil.example:8080' })).toBe(403)
    expect(await from({ host: '127.0.0.1.evil.example' })).toBe(403)
    expect(await from({ host: 'localhost:8080', origin: 'https://evil.example' })).toBe(403)
    expect(await from({ host: 'localhost:8080', origin: 'null' })).toBe(403)
    expect(await from({ host: 'localhost:8080', origin: 'http://localhost:8080' })).toBe(200)
    expect(await from({ host: '[::1]:8080' })).toBe(200)
  })

  it('answers what is no HTTP, and a request whose client goes', async () => {
    await h.app.listen({ host: '127.0.0.1', port: 0 })
    const { port } = h.app.server.address() as { port: number }
    const socket = connect(port, '127.0.0.1')
    socket.write('NONSENSE\r\n\r\n')
    const answer = await text(socket)
    expect(answer).toMatch(/^HTTP\/1\.1 400/)
    expect(JSON.parse(answer.split('\r\n\r\n')[1]!).code).toBe('invalid-request')

    const url = `http://127.0.0.1:${port}/v1/embeddings`
    const body = JSON.stringify({ input: 'a' })
    h.encoder.aborted = 0
    expect((await fetch(url, { method: 'POST', body, headers: JSON_TYPE })).status).toBe(200)
    expect(h.encoder.aborted).toBe(0)
    h.encoder.delayMs = 60_000
    h.encoder.seen = []
    const gone = new AbortController()
    const request = fetch(url, {
      method: 'POST',
      body,
      headers: JSON_TYPE,
      signal: gone.signal,
    })
    await expect.poll(() => h.encoder.seen.length).toBe(1)
    gone.abort()
    await expect(request).rejects.toThrow()
    await expect.poll(() => h.encoder.aborted).toBe(1)
    h.encoder.delayMs = 0
  })
})
