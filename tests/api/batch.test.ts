import { request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Contract } from '../../src/http/openapi.ts'
import { call } from './conforms.ts'
import { type Harness, startHarness } from './harness.ts'
import { dataUrl, png } from './pictures.ts'

const contract = new Contract()
const url = '/v1/collections/pile/items/batch'
const headers = { 'content-type': 'application/x-ndjson' }
let h: Harness
beforeAll(async () => {
  h = await startHarness({ limits: { maxRequestBytes: 2000 } })
  await call(h.app, { method: 'POST', url: '/v1/collections', payload: { name: 'pile' } })
})
afterAll(() => h.close())

async function send(lines: (object | string)[]) {
  const payload = lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n')
  const response = await call(h.app, { method: 'POST', url, headers, payload })
  expect(response.statusCode).toBe(200)
  expect(response.headers['content-type']).toBe('application/x-ndjson')
  return response.body
    .trim()
    .split('\n')
    .map((line) => contract.check('BatchResult', JSON.parse(line)))
}

it('keeps an item a line, and answers a result a line in the same order', async () => {
  const picture = { id: 'red', input: { type: 'image_url', image_url: { url: dataUrl(png(4, 4)) } } }
  const results = await send([{ id: 'one', input: 'a dog', metadata: { n: 1 } }, picture, { input: 'a cat' }])
  expect(results.map(({ index, status }) => [index, status])).toEqual([
    [0, 201],
    [1, 201],
    [2, 201],
  ])
  expect(results[1]!.item).toMatchObject({ id: 'red', modality: 'image' })
  const kept = (await call(h.app, { method: 'GET', url: '/v1/collections/pile/items/one' })).json()
  expect(kept).toEqual(results[0]!.item)
})

it('lets a bad line fail alone, and says what is wrong with it', async () => {
  const results = await send([
    { id: 'good', input: 'a bird' },
    'no json',
    '',
    { id: 'good', input: 'taken' },
    { input: 'a', unknown: 1 },
    { input: 'x'.repeat(3000) },
    { id: 'last', input: 'a fish' },
  ])
  expect(results.map(({ status }) => status)).toEqual([201, 400, 409, 400, 413, 201])
  expect(results.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4, 5])
  expect(results[3]!.error!.errors).toEqual([{ pointer: '/unknown', detail: 'is not a known field' }])
})

it('takes a body longer than a request may be', async () => {
  const results = await send(Array.from({ length: 150 }, (_, n) => ({ id: `many-${n}`, input: `number ${n}` })))
  expect(results.every(({ status }) => status === 201)).toBe(true)
  expect(results.map(({ item }) => item!.id)).toEqual(Array.from({ length: 150 }, (_, n) => `many-${n}`))
})

it('answers the first lines while later ones are still to come', async () => {
  await h.app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = h.app.server.address() as AddressInfo
  const sending = request({ host: '127.0.0.1', port, path: url, method: 'POST', headers })
  const chunks: string[] = []
  const ended = new Promise<void>((resolve, reject) => {
    sending.on('error', reject)
    sending.on('response', (response) => {
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        chunks.push(chunk)
        if (chunks.length === 1) sending.end('{"id": "second", "input": "later"}')
      })
      response.on('end', resolve)
    })
  })
  sending.write('{"id": "first", "input": "now"}\n')
  await ended
  expect(chunks.map((chunk) => JSON.parse(chunk).item.id)).toEqual(['first', 'second'])
})

it('refuses another kind of body before reading it, and an unknown collection at once', async () => {
  const json = await call(h.app, { method: 'POST', url, payload: { input: 'a' } })
  expect(json.json().code).toBe('unsupported-media-type')
  const elsewhere = url.replace('pile', 'none')
  expect((await call(h.app, { method: 'POST', url: elsewhere, headers, payload: '{}' })).statusCode).toBe(404)
  const items = '/v1/collections/pile/items'
  expect((await call(h.app, { method: 'POST', url: items, headers, payload: '{}' })).statusCode).toBe(415)
})
