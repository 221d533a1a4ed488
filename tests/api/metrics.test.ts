import { request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { LanceVectorStore } from '../../src/vectors/lancedb.ts'
import { call } from './conforms.ts'
import { type Harness, startHarness } from './harness.ts'

let h: Harness
beforeAll(async () => {
  h = await startHarness()
})
afterAll(() => h.close())

const scrape = async () => call(h.app, { method: 'GET', url: '/metrics' })

it('counts requests by the template of their route, and refusals by their code', async () => {
  await call(h.app, { method: 'POST', url: '/v1/embeddings', payload: { input: 'a dog' } })
  await call(h.app, { method: 'GET', url: '/v1/collections/secret-name' })
  await call(h.app, { method: 'GET', url: '/no/such/path' })
  const response = await scrape()
  expect(response.headers['content-type']).toMatch(/^text\/plain; version=0\.0\.4/)
  const lines = response.body.split('\n')
  const count = 'http_request_duration_seconds_count'
  expect(lines).toContain(`${count}{method="POST",route="/v1/embeddings",status="200"} 1`)
  expect(lines).toContain(`${count}{method="GET",route="/v1/collections/{collection}",status="404"} 1`)
  expect(lines).toContain(`${count}{method="GET",route="unmatched",status="404"} 1`)
  expect(lines).toContain('onepeace_rejected_total{reason="not-found"} 2')
  expect(lines).toContain('http_requests_in_flight 1')
  expect(response.body).not.toContain('secret-name')
})

it('names every family that docs/observability.md lists', async () => {
  const { readFileSync } = await import('node:fs')
  const documented = [...readFileSync('docs/observability.md', 'utf8').matchAll(/^\| `(\w+)`/gm)].map(
    ([, name]) => name!,
  )
  const { body } = await scrape()
  const served = [...body.matchAll(/^# TYPE (\w+)/gm)].map(([, name]) => name!)
  expect(documented.sort()).toEqual(served.sort())
})

it('counts a client that has gone as answered, once', async () => {
  await h.app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = h.app.server.address() as AddressInfo
  h.encoder.delayMs = 10_000
  const headers = { 'content-type': 'application/json' }
  const sending = request({ host: '127.0.0.1', port, path: '/v1/embeddings', method: 'POST', headers })
  sending.on('error', () => {})
  sending.end('{"input": "never mind"}')
  await vi.waitFor(async () => expect((await scrape()).body).toContain('http_requests_in_flight 2'))
  sending.destroy()
  await vi.waitFor(async () => expect((await scrape()).body).toContain('http_requests_in_flight 1'))
  h.encoder.delayMs = 0
  const gone = 'http_request_duration_seconds_count{method="POST",route="/v1/embeddings",status="499"} 1'
  expect((await scrape()).body).toContain(gone)
})

it('times every call of the store by its method, failures too', async () => {
  const { body } = await scrape()
  expect(body).toContain('onepeace_store_duration_seconds_count{operation="getCollection"} 1')
  vi.spyOn(LanceVectorStore.prototype, 'listCollections').mockRejectedValueOnce(new Error('down'))
  await call(h.app, { method: 'GET', url: '/v1/collections' })
  expect((await scrape()).body).toContain('onepeace_store_duration_seconds_count{operation="listCollections"} 1')
})
