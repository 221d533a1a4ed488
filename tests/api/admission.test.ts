import { request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, it, vi } from 'vitest'
import { call } from './conforms.ts'
import { type Harness, startHarness } from './harness.ts'
import { dataUrl, png } from './pictures.ts'

let h: Harness
afterEach(() => h.close())

const embed = (input = 'a dog') => call(h.app, { method: 'POST', url: '/v1/embeddings', payload: { input } })
const settled = () => vi.waitFor(() => expect(h.encoder.seen.length).toBeGreaterThan(1))

it('refuses what comes while as many requests as it takes are in work, and says when to come back', async () => {
  h = await startHarness({ admission: { maxRequests: 2, maxBytes: 1e9 } })
  h.encoder.delayMs = 200
  const taken = [embed(), embed()]
  await settled()
  const refused = await embed()
  expect([refused.statusCode, refused.json().code]).toEqual([503, 'overloaded'])
  expect(Number(refused.headers['retry-after'])).toBeGreaterThanOrEqual(1)
  expect((await call(h.app, { url: '/livez' })).statusCode).toBe(200)
  expect((await call(h.app, { url: '/metrics' })).body).toContain('onepeace_rejected_total{reason="overloaded"} 1')
  expect((await Promise.all(taken)).map(({ statusCode }) => statusCode)).toEqual([200, 200])
  h.encoder.delayMs = 0
  expect((await embed()).statusCode).toBe(200)
})

it('lets a text in while pictures hold all places that pictures may have', async () => {
  h = await startHarness({ admission: { maxRequests: 8, maxBytes: 1e9 } })
  h.encoder.delayMs = 300
  const input = { type: 'image_url', image_url: { url: dataUrl(png(8, 8)) } }
  const picture = () => call(h.app, { method: 'POST', url: '/v1/embeddings', payload: { input } })
  const pictures = Array.from({ length: 8 }, picture)
  await settled()
  expect((await embed()).statusCode).toBe(200)
  const statuses = (await Promise.all(pictures)).map(({ statusCode }) => statusCode)
  expect(new Set(statuses)).toEqual(new Set([200, 503]))
})

it('counts the bytes of bodies, and lets in one that is over the bound when it is alone', async () => {
  h = await startHarness({ admission: { maxRequests: 100, maxBytes: 100 } })
  const long = 'a '.repeat(200)
  expect((await embed(long)).statusCode).toBe(200)
  h.encoder.delayMs = 200
  const taken = [embed('a'), embed('b')]
  await settled()
  expect((await embed(long)).statusCode).toBe(503)
  expect((await call(h.app, { url: '/v1/models' })).statusCode).toBe(200)
  await Promise.all(taken)
})

it('counts a body of unknown length as the longest', async () => {
  h = await startHarness({ admission: { maxRequests: 100, maxBytes: 10_000 }, limits: { maxRequestBytes: 10_000 } })
  await h.app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = h.app.server.address() as AddressInfo
  const headers = { 'content-type': 'application/json', 'transfer-encoding': 'chunked' }
  const slow = request({ host: '127.0.0.1', port, path: '/v1/embeddings', method: 'POST', headers })
  slow.on('error', () => undefined)
  slow.write('{"input"')
  await vi.waitFor(async () => expect((await embed()).statusCode).toBe(503))
  slow.destroy() // a client that has gone takes no room
  await vi.waitFor(async () => expect((await embed()).statusCode).toBe(200))
})
