/** A service whose encoders are away, with its own copy of the text branch. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type LiveServer, startServer } from '../live-server.ts'

const AWAY = { ENCODER_URL: 'http://127.0.0.1:1', ENCODER_SECRET: 'a-secret-of-the-tests', ENCODER_WAKE_S: '120' }

let alone: LiveServer
let whole: LiveServer
beforeAll(async () => {
  alone = await startServer([], { ...AWAY, ENCODER_TEXT_LOCAL: '1' })
  whole = await startServer()
})
afterAll(async () => {
  await alone?.stop()
  await whole?.stop()
})

const send = (server: LiveServer, path: string, body: object, headers = {}) =>
  fetch(server.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })
const pixel =
  'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=='
const picture = { input: { type: 'image_url', image_url: { url: pixel } } }

it('searches by words with the vectors that the services would make, and says who made them', async () => {
  await send(alone, '/v1/collections', { name: 'c' })
  for (const input of ['a dog', 'a ship at sea']) {
    expect((await send(alone, '/v1/collections/c/items', { id: input.replaceAll(' ', '-'), input })).status).toBe(201)
  }
  const answer = await send(alone, '/v1/collections/c/search', { query: 'the ship', limit: 1 })
  expect(answer.headers.get('server-timing')).toMatch(/\bencode_local;dur=/)
  expect(await answer.json()).toMatchObject({ hits: [{ id: 'a-ship-at-sea' }] })

  const vectorOf = async (server: LiveServer) =>
    (
      (await (await send(server, '/v1/embeddings', { input: 'a blue ship' })).json()) as {
        data: [{ embedding: number[] }]
      }
    ).data[0].embedding
  const [local, expected] = [await vectorOf(alone), await vectorOf(whole)]
  expect(local.reduce((sum, value, i) => sum + value * expected[i]!, 0)).toBeGreaterThan(0.9999)
  const metrics = await (await fetch(`${alone.url}/metrics`)).text()
  expect(metrics).toMatch(/onepeace_batch_size_count\{modality="text_local"\} [1-9]/)
  expect(metrics).not.toMatch(/onepeace_batch_size_count\{modality="text"\}/)
})

it('tells of pictures that the services are starting, and when to come back', async () => {
  const answer = await send(alone, '/v1/embeddings', picture, { 'x-timeout-ms': '1500' })
  expect(answer.status).toBe(503)
  expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(60)
  expect(await answer.json()).toMatchObject({ code: 'encoder-starting' })
})

it('is ready meanwhile', async () => {
  expect((await fetch(`${alone.url}/readyz`)).status).toBe(200)
})
