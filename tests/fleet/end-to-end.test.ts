/**
 * The service as clients of a fleet meet it: each step goes to another process than the one before, and what one wrote the other
 * has. Once with originals in a shared folder, once with them in a bucket.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openModel } from '../../src/commands/compose.ts'
import { loadConfig } from '../../src/config.ts'
import { wav } from '../api/harness.ts'
import { dataUrl, png } from '../api/pictures.ts'
import { BUCKET, CREDENTIALS, S3_SERVER, type S3Server, startS3Server } from '../s3-server.ts'
import { type Answer, call, endFleet, type Fleet, sha256Of, startFleet } from './fleet.ts'

const places = ['a shared folder', 'a bucket'] as const

describe.each(places)('API ×2, encoder ×2, originals in %s', (place) => {
  const isBucket = place === 'a bucket'
  if (isBucket && S3_SERVER === undefined) return void it.skip('needs a server that speaks S3', () => {})
  let s3: S3Server | undefined
  let fleet: Fleet
  let turn = 0

  beforeAll(async () => {
    s3 = isBucket ? await startS3Server() : undefined
    const mediaUrl = s3 && `s3://${BUCKET}/fleet?endpoint=${s3.endpoint}`
    fleet = await startFleet({ ...(mediaUrl && { mediaUrl }), env: CREDENTIALS })
  })
  afterAll(async () => {
    await endFleet(fleet)
    await s3?.close()
  })

  /** Each call goes to the next service. */
  const next = (path: string, init?: Parameters<typeof call>[1]) => call(fleet.urls[turn++ % 2]! + path, init)
  const post = (path: string, json: unknown, headers = {}) => next(path, { method: 'POST', json, headers })
  const both = (make: (url: string) => Promise<Answer>) => Promise.all(fleet.urls.map(make))
  const picture = png(64, 48)
  const image = (bytes: Buffer) => ({ type: 'image_url', image_url: { url: dataUrl(bytes) } })

  it('makes a collection here, and has it there', async () => {
    expect((await post('/v1/collections', { name: 'pets', metadata: { of: 'tests' } })).status).toBe(201)
    expect((await next('/v1/collections/pets')).json).toMatchObject({ name: 'pets', metadata: { of: 'tests' } })
    expect((await post('/v1/collections', { name: 'pets' })).json).toMatchObject({ status: 409, code: 'conflict' })
  })

  it('embeds the same, bit for bit, whichever service and encoder does it', async () => {
    const input = [
      'a dog on the beach',
      image(picture),
      { type: 'input_audio', input_audio: { data: wav(2).toString('base64') } },
    ]
    const answers: string[] = []
    for (let n = 0; n < 6; n++) {
      const { json } = await post('/v1/embeddings', { input, encoding_format: 'base64' })
      answers.push(JSON.stringify(json.data))
    }
    expect(new Set(answers).size).toBe(1)
  })

  it('embeds as the model in a process of its own does, bit for bit', async () => {
    const local = await openModel(loadConfig({}, {}))
    const content = [
      { kind: 'text' as const, text: 'a dog on the beach', weight: 1 },
      { kind: 'media' as const, bytes: picture, weight: 1 },
      { kind: 'media' as const, bytes: wav(2), weight: 1 },
    ]
    const here = await local.content.encodeAll(content.map((part) => [part]))
    await local.close()
    const base64 = here.map(({ vector }) =>
      Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength).toString('base64'),
    )
    const input = [
      'a dog on the beach',
      image(picture),
      { type: 'input_audio', input_audio: { data: wav(2).toString('base64') } },
    ]
    for (let n = 0; n < 4; n++) {
      const { json } = await post('/v1/embeddings', { input, encoding_format: 'base64' })
      expect(json.data.map(({ embedding }: { embedding: string }) => embedding)).toEqual(base64)
    }
  })

  it('keeps texts, pictures and sounds, and finds them from either', async () => {
    const items = [
      { id: 'words', input: 'two dogs run', metadata: { year: 2026 } },
      { id: 'picture', input: image(picture) },
      { id: 'sound', input: { type: 'input_audio', input_audio: { data: wav(1, 880).toString('base64') } } },
    ]
    for (const item of items) expect((await post('/v1/collections/pets/items', item)).status).toBe(201)
    for (const query of ['two dogs run', image(picture), { item_id: 'sound' }]) {
      const found = await both((url) => call(`${url}/v1/collections/pets/search`, { method: 'POST', json: { query } }))
      expect(found.map(({ status }) => status)).toEqual([200, 200])
      expect(found[0]!.json.hits).toEqual(found[1]!.json.hits)
    }
    const filter = { must: [{ key: 'year', range: { gte: 2026 } }] }
    const { json } = await post('/v1/collections/pets/search', { query: 'dogs', filter })
    expect(json.hits.map(({ id }: { id: string }) => id)).toEqual(['words'])
  })

  it('gives an original back from the other service, whole, in part and small', async () => {
    const media = '/v1/collections/pets/items/picture/media'
    for (let n = 0; n < 2; n++) expect((await next(media)).bytes.equals(picture)).toBe(true)
    const part = await next(media, { headers: { range: 'bytes=1-3' } })
    expect([part.status, part.bytes.toString()]).toEqual([206, 'PNG'])
    const small = await next('/v1/collections/pets/items/picture/thumbnail?size=64')
    expect([small.status, small.headers.get('content-type')]).toEqual([200, 'image/webp'])
  })

  it('makes one item of the same Idempotency-Key sent to both at once', async () => {
    await post('/v1/collections', { name: 'once' })
    const rounds = 20
    for (let n = 0; n < rounds; n++) {
      const headers = { 'idempotency-key': `key-${n}` }
      const json = { input: `the words of round ${n}` }
      const answers = await both((url) => call(`${url}/v1/collections/once/items`, { method: 'POST', json, headers }))
      expect(answers.map(({ status }) => status)).toEqual([201, 201])
      expect(answers[0]!.json).toEqual(answers[1]!.json)
      const again = await post('/v1/collections/once/items', json, headers)
      expect(again.headers.get('idempotent-replayed')).toBe('true')
      expect(again.json).toEqual(answers[0]!.json)
    }
    expect((await next('/v1/collections/once')).json.items).toBe(rounds)
    const other = await post('/v1/collections/once/items', { input: 'other words' }, { 'idempotency-key': 'key-0' })
    expect(other.json).toMatchObject({ status: 422, code: 'idempotency-key-reused' })
  })

  it('lets one of two that name the same id win, and tells the other', async () => {
    const make = (url: string) =>
      call(`${url}/v1/collections/once/items`, { method: 'POST', json: { id: 'mine', input: url } })
    expect((await both(make)).map(({ status }) => status).sort()).toEqual([201, 409])
  })

  it('takes a file ahead through one, and uses it in the other', async () => {
    const bytes = png(33, 44)
    const announced = { bytes: bytes.length, media_type: 'image/png', sha256: sha256Of(bytes) }
    const { json: upload } = await post('/v1/uploads', announced)
    const to = new URL(upload.url, fleet.urls[turn++ % 2]!)
    const sent = await call(to.href, { method: upload.method, headers: upload.headers, body: bytes as never })
    expect(sent.status).toBe(isBucket ? 200 : 204)
    const input = { type: 'upload', upload: { id: upload.id } }
    const { json: item } = await post('/v1/collections/pets/items', { id: 'ahead', input })
    expect(item).toMatchObject({ modality: 'image', bytes: bytes.length, sha256: sha256Of(bytes) })
    expect((await next('/v1/collections/pets/items/ahead/media')).bytes.equals(bytes)).toBe(true)
  })

  it('writes many lines here, and lists them there', async () => {
    const lines = Array.from({ length: 40 }, (_, i) => JSON.stringify({ id: `line-${i}`, input: `line number ${i}` }))
    const headers = { 'content-type': 'application/x-ndjson' }
    await post('/v1/collections', { name: 'lines' })
    const { bytes } = await next('/v1/collections/lines/items/batch', {
      method: 'POST',
      body: lines.join('\n'),
      headers,
    })
    const results = bytes
      .toString()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).status)
    expect(results).toEqual(lines.map(() => 201))
    expect((await next('/v1/collections/lines/items?limit=1000')).json.items).toHaveLength(40)
  })

  it('takes an import here, and tells there how far the workers are', async (test) => {
    test.skip(!fleet.processes.has('redis'), 'needs redis-server')
    const bytes = png(12, 34)
    const { json: upload } = await post('/v1/uploads', { bytes: bytes.length, media_type: 'image/png' })
    await call(new URL(upload.url, fleet.urls[0]).href, {
      method: 'PUT',
      headers: upload.headers,
      body: bytes as never,
    })
    await post('/v1/collections', { name: 'imported' })
    const lines: object[] = Array.from({ length: 60 }, (_, i) => ({ id: `n${i}`, input: `words number ${i}` }))
    lines.push({ id: 'ahead', input: { type: 'upload', upload: { id: upload.id } } }, { id: 'blank', input: ' ' })
    const headers = { 'content-type': 'application/x-ndjson' }
    const body = lines.map((line) => JSON.stringify(line)).join('\n')
    const { status, json: job } = await next('/v1/collections/imported/imports', { method: 'POST', body, headers })
    expect(status).toBe(202)
    await expect
      .poll(async () => (await next(`/v1/jobs/${job.id}`)).json, { timeout: 60_000 })
      .toMatchObject({ state: 'completed', counts: { total: 62, succeeded: 61, failed: 1 } })
    expect((await next('/v1/collections/imported')).json.items).toBe(61)
    expect((await next('/v1/collections/imported/items/ahead/media')).bytes.equals(bytes)).toBe(true)
    const { errors } = (await next(`/v1/jobs/${job.id}/errors`)).json
    expect(errors).toMatchObject([{ line: 61, id: 'blank', error: { code: 'unprocessable-content' } }])
  })

  it('replaces and deletes for both', async () => {
    expect(
      (await next('/v1/collections/pets/items/words', { method: 'PUT', json: { input: 'a cat sleeps' } })).status,
    ).toBe(200)
    expect((await next('/v1/collections/pets/items/words/media')).bytes.toString()).toBe('a cat sleeps')
    expect((await next('/v1/collections/pets/items/words', { method: 'DELETE' })).status).toBe(204)
    expect((await next('/v1/collections/pets/items/words')).status).toBe(404)
    expect((await next('/v1/collections/lines', { method: 'DELETE' })).status).toBe(204)
    expect((await next('/v1/collections/lines')).status).toBe(404)
  })

  it('answers on the one address before the services, also while one of them is down', async () => {
    fleet.processes.get('api-0')!.kill()
    for (let n = 0; n < 4; n++) expect((await call(`${fleet.url}/v1/collections/pets`)).status).toBe(200)
    await fleet.processes.get('api-0')!.ready()
    for (let n = 0; n < 4; n++) expect((await call(`${fleet.url}/v1/collections/pets`)).status).toBe(200)
  })
})
