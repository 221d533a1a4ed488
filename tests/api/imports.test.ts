import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import type { InjectOptions } from 'fastify'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { changeKeys, keyFileOf } from '../../src/auth/key-file.ts'
import { newKey } from '../../src/auth/keys.ts'
import { DomainError } from '../../src/errors.ts'
import type { Schemas } from '../../src/http/openapi.ts'
import { RemoteFetcher } from '../../src/media/remote-fetch.ts'
import { call } from './conforms.ts'
import { form, type Harness, startHarness, wav } from './harness.ts'
import { dataUrl, png } from './pictures.ts'

type Job = Schemas['Job']
type Headers = Record<string, string>

let h: Harness
let collections = 0
const fetched: string[] = []
beforeAll(async () => {
  const fetcher = new RemoteFetcher({ maxBytes: 1000, timeoutMs: 1000 })
  fetcher.fetch = async (url) => {
    fetched.push(url)
    if (url.endsWith('missing')) throw new DomainError('undecodable-media', 'The address answers 404.')
    return png(20, 10)
  }
  h = await startHarness({ fetcher })
})
afterAll(() => h.close())

async function newCollection(harness = h): Promise<string> {
  const name = `c${collections++}`
  await call(harness.app, { method: 'POST', url: '/v1/collections', payload: { name } })
  return name
}

const NDJSON = { 'content-type': 'application/x-ndjson' }
const linesOf = (items: readonly unknown[]) =>
  items.map((item) => (typeof item === 'string' ? item : JSON.stringify(item))).join('\n')
const texts = (n: number, from = 0) => Array.from({ length: n }, (_, i) => ({ input: `text ${from + i}` }))

function importInto(collection: string, lines: readonly unknown[], headers: Headers = {}, harness = h) {
  const url = `/v1/collections/${collection}/imports`
  return call(harness.app, { method: 'POST', url, payload: linesOf(lines), headers: { ...NDJSON, ...headers } })
}

const get = async (url: string, harness = h, headers: Headers = {}) =>
  (await call(harness.app, { url, headers })).json()

async function finished(id: string, harness = h): Promise<Job> {
  await expect
    .poll(async () => ['queued', 'running'].includes((await get(`/v1/jobs/${id}`, harness)).state))
    .toBe(false)
  return get(`/v1/jobs/${id}`, harness)
}

async function itemsOf(collection: string): Promise<Schemas['Item'][]> {
  return (await get(`/v1/collections/${collection}/items?limit=1000`)).items
}

describe('an import', () => {
  it('is answered with a job, which ends with every line kept, in order', async () => {
    const collection = await newCollection()
    const response = await importInto(collection, [...texts(300), '', { id: 'named', input: 'x', metadata: { n: 1 } }])
    expect(response.statusCode).toBe(202)
    const { id, ...job } = response.json() as Job
    expect(response.headers.location).toBe(`/v1/jobs/${id}`)
    expect(job).toMatchObject({ kind: 'import', state: 'queued', collection })
    expect(job.counts).toEqual({ total: 301, done: 0, succeeded: 0, failed: 0 })
    const done = await finished(id)
    expect(done.state).toBe('completed')
    expect(done.counts).toEqual({ total: 301, done: 301, succeeded: 301, failed: 0 })
    expect(done.rate).toBeGreaterThan(0)
    expect(Date.parse(done.finished_at!)).toBeGreaterThanOrEqual(Date.parse(done.started_at!))
    const items = await itemsOf(collection)
    expect(items).toHaveLength(301)
    expect(items.at(-1)).toMatchObject({ id: 'named', metadata: { n: 1 }, created_at: done.created_at })
    const kept: string[] = []
    for (const { media_url: url } of items.slice(0, -1)) kept.push((await call(h.app, { url })).body)
    expect(kept).toEqual(texts(300).map(({ input }) => input))
    expect(await get(`/v1/jobs/${id}/errors`)).toEqual({ errors: [] })
  })

  it('tells which lines failed and why, a page at a time, and keeps the others', async () => {
    const collection = await newCollection()
    await importInto(collection, [{ id: 'taken', input: 'a' }])
    await expect.poll(async () => (await itemsOf(collection)).length).toBe(1)
    const lines = [
      '{',
      { input: ' ' },
      ...texts(400),
      { id: 'taken', input: 'b' },
      { nope: 1 },
      { id: 'twice', input: 'c' },
    ]
    const { id } = (await importInto(collection, [...lines, { id: 'twice', input: 'c' }])).json() as Job
    const { state, counts } = await finished(id)
    expect({ state, counts }).toEqual({
      state: 'completed',
      counts: { total: 406, done: 406, succeeded: 401, failed: 5 },
    })
    const first = await get(`/v1/jobs/${id}/errors?limit=2`)
    const second = await get(`/v1/jobs/${id}/errors?limit=2&cursor=${first.next_cursor}`)
    const third = await get(`/v1/jobs/${id}/errors?limit=2&cursor=${second.next_cursor}`)
    expect(third.next_cursor).toBeUndefined()
    const all = [...first.errors, ...second.errors, ...third.errors] as Schemas['JobError'][]
    const told = all.map(({ line, error, id: item }) => [line, error.code, item])
    expect(told.slice(0, 4)).toEqual([
      [0, 'invalid-request', undefined],
      [1, 'unprocessable-content', undefined],
      [402, 'conflict', 'taken'],
      [403, 'invalid-request', undefined],
    ])
    // Of two lines with one id either may come first.
    expect(told[4]!.slice(1)).toEqual(['conflict', 'twice'])
    expect(all[3]!.error.errors).toEqual([{ pointer: '', detail: 'must be one of: an item, an item at an address' }])
    expect(all[0]!.error).toMatchObject({ status: 400, instance: `/v1/jobs/${id}/errors` })
  })

  it('takes a manifest of pictures at addresses, fetched by the worker', async () => {
    const collection = await newCollection()
    const items = [
      { url: 'https://pictures.example/1.png', metadata: { n: 1 } },
      { id: 'gone', url: 'https://pictures.example/missing' },
      { input: { type: 'image_url', image_url: { url: dataUrl(png(8, 8)) } } },
    ]
    const url = `/v1/collections/${collection}/imports`
    const response = await call(h.app, { method: 'POST', url, payload: { items } })
    expect(response.statusCode).toBe(202)
    const { id } = response.json() as Job
    expect((await finished(id)).counts).toEqual({ total: 3, done: 3, succeeded: 2, failed: 1 })
    expect((await itemsOf(collection)).map(({ media }) => media.width)).toEqual([20, 8])
    expect((await get(`/v1/jobs/${id}/errors`)).errors[0]).toMatchObject({ line: 1, id: 'gone' })
  })

  it('takes lines that were sent ahead, and items whose bytes were', async () => {
    const collection = await newCollection()
    const upload = async (bytes: Buffer, mediaType: string) => {
      const payload = { bytes: bytes.length, media_type: mediaType }
      const { id, url, headers } = (await call(h.app, { method: 'POST', url: '/v1/uploads', payload })).json()
      await call(h.app, { method: 'PUT', url, payload: bytes, headers })
      return id as string
    }
    const picture = await upload(png(30, 40), 'image/png')
    const lines = [{ id: 'sent-ahead', input: { type: 'upload', upload: { id: picture } } }, ...texts(2)]
    const manifest = { upload: { id: await upload(Buffer.from(linesOf(lines)), 'application/x-ndjson') } }
    const url = `/v1/collections/${collection}/imports`
    const { id } = (await call(h.app, { method: 'POST', url, payload: manifest })).json() as Job
    expect((await finished(id)).counts).toMatchObject({ total: 3, succeeded: 3 })
    expect(await get(`/v1/collections/${collection}/items/sent-ahead`)).toMatchObject({ media: { width: 30 } })
    const refused = await call(h.app, { method: 'POST', url, payload: { upload: { id: picture } } })
    expect([refused.statusCode, refused.json().code]).toEqual([422, 'unprocessable-content'])
  })

  it('keeps a line only as long as one may be, and fails what is longer', async () => {
    const small = await startHarness({ limits: { maxRequestBytes: 5000 } })
    const collection = await newCollection(small)
    const long = { input: 'x'.repeat(6000) }
    const { id } = (await importInto(collection, [...texts(2), long, ...texts(2, 2)], {}, small)).json() as Job
    expect((await finished(id, small)).counts).toMatchObject({ succeeded: 4, failed: 1 })
    const { errors } = await get(`/v1/jobs/${id}/errors`, small)
    expect(errors).toMatchObject([{ line: 2, error: { code: 'payload-too-large' } }])
    const manifest = { items: Array.from({ length: 200 }, () => ({ input: 'a text in JSON' })) }
    const url = `/v1/collections/${collection}/imports`
    expect((await call(small.app, { method: 'POST', url, payload: manifest })).statusCode).toBe(413)
    const chunked = Readable.from([JSON.stringify(manifest)])
    const headers = { 'content-type': 'application/json', 'transfer-encoding': 'chunked' }
    expect(
      (await call(small.app, { method: 'POST', url, payload: chunked, headers } as InjectOptions)).statusCode,
    ).toBe(413)
    await small.close()
  })

  it('refuses what cannot be imported at all, and keeps nothing of it', async () => {
    const collection = await newCollection()
    const statusOf = async (options: InjectOptions) => (await call(h.app, { method: 'POST', ...options })).statusCode
    const url = `/v1/collections/${collection}/imports`
    expect(await statusOf({ url, headers: NDJSON, payload: '\n \n' })).toBe(422)
    expect(await statusOf({ url, headers: NDJSON })).toBe(422)
    expect(await statusOf({ url, payload: { items: [] } })).toBe(400)
    expect(await statusOf({ url, payload: {} })).toBe(400)
    expect(await statusOf({ url, payload: 'a,b', headers: { 'content-type': 'text/csv' } })).toBe(415)
    expect(await statusOf({ url: '/v1/collections/none/imports', headers: NDJSON, payload: '{}' })).toBe(404)
    const broken = Readable.from(
      (async function* () {
        yield linesOf(texts(500))
        throw new Error('the client has gone')
      })(),
    )
    await h.app.inject({ method: 'POST', url, headers: NDJSON, payload: broken }).catch(() => undefined)
    await expect
      .poll(() =>
        readdir(join(h.dir, 'jobs', 'sources'), { recursive: true }).then((names) =>
          names.filter((name) => name.includes('/')),
        ),
      )
      .toEqual([])
  })
})

describe('sending an import again', () => {
  it('under its Idempotency-Key makes one job and one of each item', async () => {
    const collection = await newCollection()
    const key = { 'idempotency-key': `import-${collection}` }
    const first = await importInto(collection, texts(5), key)
    const again = await importInto(collection, texts(5), key)
    expect(again.statusCode).toBe(202)
    expect(again.headers['idempotent-replayed']).toBe('true')
    expect(again.json()).toEqual(first.json())
    const other = await importInto(collection, texts(6), key)
    expect([other.statusCode, other.json().code]).toEqual([422, 'idempotency-key-reused'])
    await finished(first.json().id)
    expect(await itemsOf(collection)).toHaveLength(5)
  })
})

describe('cancelling', () => {
  it('ends a job that nobody has begun, and one that is running, and leaves a finished one alone', async () => {
    const idle = await startHarness({ withoutWorker: true })
    const waiting = (await importInto(await newCollection(idle), texts(5), {}, idle)).json() as Job
    const cancel = async (id: string, harness: Harness) =>
      (await call(harness.app, { method: 'DELETE', url: `/v1/jobs/${id}` })).json() as Job
    expect(await cancel(waiting.id, idle)).toMatchObject({ state: 'cancelled', counts: { done: 0, total: 5 } })
    expect(await get(`/v1/jobs/${waiting.id}`, idle)).toMatchObject({ state: 'cancelled' })
    await idle.close()

    const slow = await startHarness()
    slow.encoder.delayMs = 30
    const collection = await newCollection(slow)
    const running = (await importInto(collection, texts(3000), {}, slow)).json() as Job
    await expect.poll(async () => (await get(`/v1/jobs/${running.id}`, slow)).counts.done).toBeGreaterThan(0)
    expect(await cancel(running.id, slow)).toMatchObject({ state: 'cancelled' })
    const countNow = async () => (await get(`/v1/collections/${collection}`, slow)).items
    await expect
      .poll(async () => {
        const before = await countNow()
        await new Promise((resolve) => setTimeout(resolve, 300))
        return (await countNow()) - before
      })
      .toBe(0)
    const { counts } = (await get(`/v1/jobs/${running.id}`, slow)) as Job
    expect(counts.done).toBeLessThan(3000)
    expect(await countNow()).toBe(counts.succeeded)
    await slow.close()

    const done = (await importInto(await newCollection(), texts(1))).json() as Job
    await finished(done.id)
    expect(await cancel(done.id, h)).toMatchObject({ state: 'completed' })
  })
})

describe('jobs', () => {
  it('are listed, newest first, a page at a time', async () => {
    const own = await startHarness()
    const collection = await newCollection(own)
    const ids: string[] = []
    for (let n = 0; n < 5; n++) ids.unshift((await importInto(collection, texts(1, n), {}, own)).json().id)
    const first = await get('/v1/jobs?limit=3', own)
    const second = await get(`/v1/jobs?limit=3&cursor=${first.next_cursor}`, own)
    expect([...first.jobs, ...second.jobs].map(({ id }: Job) => id)).toEqual(ids)
    expect(second.next_cursor).toBeUndefined()
    expect((await call(own.app, { url: '/v1/jobs?cursor=no' })).statusCode).toBe(400)
    await own.close()
  })

  it('of one tenant are hidden from others, and count for it alone', async () => {
    const own = await startHarness({ maxJobs: 2, withoutWorker: true })
    const keys = ['acme', 'rival'].map((tenant) => newKey({ tenant, scopes: ['read', 'write', 'admin'] }))
    await changeKeys(keyFileOf(own.dir), () => keys.map(({ record }) => record))
    const [acme, rival] = keys.map(({ key }) => ({ authorization: `Bearer ${key}` })) as unknown as [Headers, Headers]
    for (const headers of [acme, rival])
      await call(own.app, { method: 'POST', url: '/v1/collections', payload: { name: 'c' }, headers })
    const job = (await importInto('c', texts(1), acme, own)).json() as Job
    await importInto('c', texts(1), acme, own)
    for (const [method, url] of [
      ['GET', `/v1/jobs/${job.id}`],
      ['DELETE', `/v1/jobs/${job.id}`],
      ['GET', `/v1/jobs/${job.id}/errors`],
    ] as const)
      expect((await call(own.app, { method, url, headers: rival })).statusCode).toBe(404)
    expect(await get('/v1/jobs', own, rival)).toEqual({ jobs: [] })
    const over = await importInto('c', texts(1), acme, own)
    expect([over.statusCode, over.json().code]).toEqual([429, 'rate-limited'])
    expect(Number(over.headers['retry-after'])).toBeGreaterThan(0)
    expect((await importInto('c', texts(1), rival, own)).statusCode).toBe(202)
    await call(own.app, { method: 'DELETE', url: `/v1/jobs/${job.id}`, headers: acme })
    expect((await importInto('c', texts(1), acme, own)).statusCode).toBe(202)
    await own.close()
  })

  it('go on after a restart where they were', async () => {
    const before = await startHarness({ withoutWorker: true })
    const collection = await newCollection(before)
    const { id } = (await importInto(collection, texts(200), {}, before)).json() as Job
    const { dir } = before
    await before.app.close()
    const after = await startHarness({ dir })
    expect((await finished(id, after)).counts).toMatchObject({ succeeded: 200, failed: 0 })
    await after.close()
    await before.close()
  })

  it('wait for an encoder that cannot be used now', async () => {
    const own = await startHarness()
    own.encoder.failure = new DomainError('encoder-unavailable', 'Not yet.', { retryAfterS: 1 })
    const collection = await newCollection(own)
    const { id } = (await importInto(collection, texts(3), {}, own)).json() as Job
    await expect.poll(() => own.encoder.seen.length).toBeGreaterThan(3)
    expect((await get(`/v1/jobs/${id}`, own)).counts.done).toBe(0)
    own.encoder.failure = undefined
    expect((await finished(id, own)).counts).toMatchObject({ succeeded: 3, failed: 0 })
    await own.close()
  })

  it('are told of in the metrics', async () => {
    const { id } = (await importInto(await newCollection(), ['{', ...texts(2)])).json() as Job
    await finished(id)
    const { body } = await call(h.app, { url: '/metrics' })
    expect(body).toMatch(/^onepeace_job_lines_total\{outcome="succeeded"\} [1-9]/m)
    expect(body).toMatch(/^onepeace_job_lines_total\{outcome="failed"\} [1-9]/m)
    expect(body).toMatch(/^onepeace_queue_parts\{state="waiting"\} 0$/m)
    expect(body).toMatch(/^onepeace_jobs_unfinished 0$/m)
  })
})

describe('Prefer: respond-async', () => {
  const prefer = { prefer: 'respond-async' }

  it('answers embeddings with a job, whose result is what the answer would have been', async () => {
    const payload = { input: ['a dog', { type: 'input_audio', input_audio: { data: wav(1).toString('base64') } }] }
    const plain = (await call(h.app, { method: 'POST', url: '/v1/embeddings', payload })).json()
    const headers = { prefer: 'handling=lenient, Respond-Async; wait=5' }
    const response = await call(h.app, { method: 'POST', url: '/v1/embeddings', payload, headers })
    expect(response.statusCode).toBe(202)
    expect(response.headers['preference-applied']).toBe('respond-async')
    const job = await finished(response.json().id)
    expect(job).toMatchObject({ kind: 'embeddings', state: 'completed', counts: { total: 1, succeeded: 1 } })
    expect(job.result).toEqual(plain)
    const base64 = { ...payload, encoding_format: 'base64' }
    const asked = await call(h.app, { method: 'POST', url: '/v1/embeddings', payload: base64, headers: prefer })
    const { result } = await finished(asked.json().id)
    expect(result).toEqual((await call(h.app, { method: 'POST', url: '/v1/embeddings', payload: base64 })).json())
  })

  it('answers an item with a job, whose result is the item, once however often it is sent', async () => {
    const collection = await newCollection()
    const { payload, headers } = await form([
      ['file', png(12, 6)],
      ['id', 'p'],
      ['metadata', '{"n":1}'],
    ])
    const url = `/v1/collections/${collection}/items`
    const key = { 'idempotency-key': `item-${collection}`, ...prefer }
    const ask = () => call(h.app, { method: 'POST', url, payload, headers: { ...headers, ...key } })
    const [first, again] = [await ask(), await ask()]
    expect([first.statusCode, again.statusCode, again.json().id]).toEqual([202, 202, first.json().id])
    const { result } = await finished(first.json().id)
    expect(result).toEqual(await get(`${url}/p`))
    expect(result).toMatchObject({ id: 'p', media: { width: 12 }, metadata: { n: 1 } })
  })

  it('ends as failed, with the problem, where the answer would have been one', async () => {
    const payload = { input: ['fine', ' '] }
    const response = await call(h.app, { method: 'POST', url: '/v1/embeddings', payload, headers: prefer })
    const job = await finished(response.json().id)
    expect(job).toMatchObject({ state: 'failed', error: { code: 'unprocessable-content', status: 422 } })
    expect(job.error!.detail).toMatch(/^Input 1: /)
    expect(job.result).toBeUndefined()
  })

  it('is not heeded where it is not said', async () => {
    const headers = { prefer: 'return=minimal' }
    const response = await call(h.app, { method: 'POST', url: '/v1/embeddings', payload: { input: 'a' }, headers })
    expect(response.statusCode).toBe(200)
  })
})
