import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { changeKeys, keyFileOf } from '../../src/auth/key-file.ts'
import { newKey } from '../../src/auth/keys.ts'
import { startTracing } from '../../src/telemetry/tracing.ts'
import { LanceVectorStore } from '../../src/vectors/lancedb.ts'
import { call } from './conforms.ts'
import { form, type Harness, type HarnessOptions, startHarness, wav } from './harness.ts'
import { png } from './pictures.ts'

let h: Harness
afterEach(() => h.close())

const post = (url: string, payload: object, headers = {}) => call(h.app, { method: 'POST', url, payload, headers })

describe('server-timing', () => {
  const stagesOf = (response: { headers: Record<string, unknown> }) =>
    String(response.headers['server-timing'])
      .split(', ')
      .map((entry) => entry.split(';')[0])

  it('names the stages that a request went through, and the total', async () => {
    h = await startHarness()
    expect(stagesOf(await post('/v1/embeddings', { input: 'a dog' }))).toEqual(['encode', 'total'])
    const sound = { ...(await form([['file', wav(1)]])), method: 'POST', url: '/v1/embeddings' } as const
    expect(stagesOf(await call(h.app, sound))).toEqual(['decode', 'encode', 'total'])
    expect(stagesOf(await post('/v1/collections', { name: 'a' }))).toEqual(['store', 'total'])
    expect(stagesOf(await post('/v1/collections/a/items', { input: 'a cat' }))).toEqual(['store', 'encode', 'total'])
    expect(stagesOf(await post('/v1/collections/a/search', { query: 'a cat' }))).toEqual(['store', 'encode', 'total'])
    expect(stagesOf(await call(h.app, { method: 'GET', url: '/livez' }))).toEqual(['total'])
  })

  it('counts a stage once where several inputs are in it side by side', async () => {
    h = await startHarness()
    h.encoder.delayMs = 40
    const response = await post('/v1/embeddings', { input: ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'] })
    const times = Object.fromEntries(
      [...String(response.headers['server-timing']).matchAll(/(\w+);dur=([\d.]+)/g)].map(([, k, v]) => [k, Number(v)]),
    )
    expect(times.encode).toBeGreaterThan(20)
    expect(times.encode).toBeLessThanOrEqual(times.total! + 0.1)
  })
})

describe('the log', () => {
  const lines: string[] = []
  const logged = async (options: HarnessOptions = {}) => {
    lines.length = 0
    h = await startHarness({ ...options, log: { write: (line) => lines.push(line) } })
  }

  it('has one line a request: route, status, duration, stages and id', async () => {
    await logged()
    await post('/v1/embeddings', { input: 'a dog' }, { 'x-request-id': 'mine-1' })
    await vi.waitFor(() => expect(lines).toHaveLength(1))
    const entry = JSON.parse(lines[0]!)
    expect(entry).toMatchObject({
      reqId: 'mine-1',
      method: 'POST',
      route: '/v1/embeddings',
      status: 200,
      msg: 'request',
    })
    expect(entry.ms).toBeTypeOf('number')
    expect(Object.keys(entry.stages)).toEqual(['encode'])
  })

  it('bears no key, no header, no body, no query and no id, whether a request succeeds or fails', async () => {
    const secret = 'Xyzzy42'
    await logged()
    const { key, record } = newKey({ tenant: 'a', scopes: ['read', 'write', 'admin'] })
    await changeKeys(keyFileOf(h.dir), () => [record])
    const headers = { authorization: `Bearer ${key}`, cookie: secret, 'x-forwarded-for': secret }
    await post('/v1/collections', { name: 'a' }, headers)
    await call(h.app, { method: 'GET', url: '/v1/collections', headers: { authorization: `Bearer ${secret}` } })
    const item = { id: secret, input: `text ${secret}`, metadata: { [secret]: secret } }
    await post('/v1/collections/a/items', item, headers)
    await post('/v1/collections/a/items', item, headers)
    const picture = await form([
      ['file', png(8, 8), `${secret}.png`],
      ['id', `${secret}2`],
    ])
    await call(h.app, {
      method: 'POST',
      url: '/v1/collections/a/items',
      ...picture,
      headers: { ...picture.headers, ...headers },
    })
    await call(h.app, { method: 'GET', url: `/v1/collections/a/items/${secret}`, headers })
    await call(h.app, { method: 'GET', url: `/v1/collections/a/items/${secret}x`, headers })
    const filter = { must: [{ key: secret, match: { value: secret } }] }
    const query = `filter=${encodeURIComponent(JSON.stringify(filter))}`
    await call(h.app, { method: 'GET', url: `/v1/collections/a/items?${query}`, headers })
    await post('/v1/collections/a/search', { query: secret, filter }, headers)
    await call(h.app, { method: 'GET', url: `/${secret}?${secret}`, headers })
    h.encoder.failure = new Error('The encoder broke.')
    await post('/v1/collections/a/search', { query: secret, filter }, headers)
    h.encoder.failure = undefined
    vi.spyOn(LanceVectorStore.prototype, 'search').mockRejectedValueOnce(new Error('The store broke.'))
    await post('/v1/collections/a/search', { query: secret, filter }, headers)
    await vi.waitFor(() => expect(lines.filter((line) => JSON.parse(line).msg === 'request')).toHaveLength(12))
    const log = lines.join('')
    expect(log).toContain('The encoder broke.')
    expect(log).toContain('The store broke.')
    expect(log).not.toContain(secret)
    expect(log).not.toContain(key)
    expect(log.toLowerCase()).not.toContain('bearer')
  })
})

describe('traces', () => {
  it('go to the configured collector: the request as a child of the caller’s span, its stages below it', async () => {
    interface Span {
      name: string
      traceId: string
      spanId: string
      parentSpanId?: string
      attributes: { key: string }[]
    }
    const spans: Span[] = []
    const collector = createServer(async (request, response) => {
      const chunks: Buffer[] = []
      for await (const chunk of request) chunks.push(chunk)
      const { resourceSpans } = JSON.parse(Buffer.concat(chunks).toString())
      for (const { scopeSpans } of resourceSpans) for (const each of scopeSpans) spans.push(...each.spans)
      response.setHeader('content-type', 'application/json').end('{}')
    }).listen(0, '127.0.0.1')
    await once(collector, 'listening')
    vi.stubEnv('OTEL_EXPORTER_OTLP_ENDPOINT', `http://127.0.0.1:${(collector.address() as AddressInfo).port}`)
    const stop = startTracing('onepeace')
    h = await startHarness()
    const trace = 'a'.repeat(32)
    const headers = { traceparent: `00-${trace}-${'b'.repeat(16)}-01` }
    await post('/v1/collections', { name: 'a' }, headers)
    await post('/v1/collections/a/items', { id: 'secret-id', input: 'secret text' }, headers)
    await h.close()
    await stop()
    collector.close()
    vi.unstubAllEnvs()
    const request = spans.find(({ name }) => name === 'POST /v1/collections/{collection}/items')!
    expect(request).toMatchObject({ traceId: trace, parentSpanId: 'b'.repeat(16) })
    const stages = spans.filter(({ parentSpanId }) => parentSpanId === request.spanId).map(({ name }) => name)
    expect(new Set(stages)).toEqual(new Set(['encode', 'store']))
    expect(request.attributes.map(({ key }) => key)).toContain('http.response.status_code')
    expect(JSON.stringify(spans)).not.toContain('secret')
    h = await startHarness()
  })
})
