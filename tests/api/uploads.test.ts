import { createHash } from 'node:crypto'
import { utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { changeKeys, keyFileOf } from '../../src/auth/key-file.ts'
import { newKey } from '../../src/auth/keys.ts'
import { sharedFiles } from '../../src/commands/files.ts'
import { FolderObjects } from '../../src/objects/folder-objects.ts'
import { UploadService } from '../../src/services/uploads.ts'
import { BUCKET, CREDENTIALS, S3_SERVER, type S3Server, startS3Server } from '../s3-server.ts'
import { call } from './conforms.ts'
import { type Harness, startHarness, wav } from './harness.ts'
import { dataUrl, png } from './pictures.ts'

const picture = png(40, 20)
const sha256Of = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
const about = { bytes: picture.length, media_type: 'image/png' }

let h: Harness
beforeAll(async () => {
  h = await startHarness()
  await call(h.app, { method: 'POST', url: '/v1/collections', payload: { name: 'c' } })
})
afterAll(() => h.close())

const announce = async (payload: object = about, headers = {}) =>
  (await call(h.app, { method: 'POST', url: '/v1/uploads', payload, headers })).json()
const send = (url: string, payload: Buffer, headers: Record<string, string> = { 'content-type': 'image/png' }) =>
  call(h.app, { method: 'PUT', url, payload, headers })
const embed = (input: unknown) => call(h.app, { method: 'POST', url: '/v1/embeddings', payload: { input } as object })
const part = (id: string, more = {}) => ({ type: 'upload', upload: { id }, ...more })

describe('an upload', () => {
  it('is announced, sent and used as any picture is, more than once', async () => {
    const upload = await announce({ ...about, sha256: sha256Of(picture) })
    expect(upload).toMatchObject({ method: 'PUT', url: `/v1/uploads/${upload.id}`, ...about })
    expect((await send(upload.url, picture, upload.headers)).statusCode).toBe(204)
    const [ahead] = (await embed(part(upload.id))).json().data
    const [within] = (await embed({ type: 'image_url', image_url: { url: dataUrl(picture) } })).json().data
    expect(ahead.embedding).toEqual(within.embedding)
    const item = await call(h.app, {
      method: 'POST',
      url: '/v1/collections/c/items',
      payload: { id: 'ahead', input: part(upload.id) },
    })
    expect(item.json()).toMatchObject({ modality: 'image', bytes: picture.length, sha256: sha256Of(picture) })
    expect((await call(h.app, { url: '/v1/collections/c/items/ahead/media' })).rawPayload.equals(picture)).toBe(true)
    const query = { content: [part(upload.id, { weight: 2 }), { type: 'text', text: 'a dog' }] }
    expect(
      (await call(h.app, { method: 'POST', url: '/v1/collections/c/search', payload: { query } })).json().hits,
    ).toHaveLength(1)
  })

  it('is refused when it is not what was announced', async () => {
    const upload = await announce({ ...about, sha256: sha256Of(picture) })
    const refused = [
      await send(upload.url, picture.subarray(1)),
      await send(upload.url, Buffer.concat([picture, picture])),
      await send(upload.url, picture, { 'content-type': 'image/jpeg' }),
      await send(upload.url, Buffer.from(picture).reverse()),
    ]
    for (const response of refused)
      expect([response.statusCode, response.json().code]).toEqual([400, 'invalid-request'])
    const unsent = await embed(part(upload.id))
    expect([unsent.statusCode, unsent.json().code]).toEqual([422, 'unprocessable-content'])
    expect(unsent.json().detail).toContain('Its bytes were not sent.')
  })

  it('is refused at once when it is too large or of no kind that is taken', async () => {
    const post = (payload: object) => call(h.app, { method: 'POST', url: '/v1/uploads', payload })
    expect((await post({ ...about, bytes: 65 * 1024 * 1024 })).statusCode).toBe(413)
    for (const media_type of ['text/html', 'image/', 'application/octet-stream'])
      expect((await post({ ...about, media_type })).statusCode).toBe(400)
  })

  it('is told by its bytes, whatever was announced', async () => {
    const sound = wav(1)
    const upload = await announce({ bytes: sound.length, media_type: 'image/png' })
    await send(upload.url, sound)
    const response = await embed(part(upload.id))
    expect([response.statusCode, response.json().code]).toEqual([422, 'undecodable-media'])
    const lines = await announce({ bytes: 3, media_type: 'application/x-ndjson' })
    await send(lines.url, Buffer.from('{}\n'), lines.headers)
    expect((await embed(part(lines.id))).json().code).toBe('unprocessable-content')
  })

  it('is its tenant’s alone, to send and to use', async () => {
    const [ours, theirs] = ['acme', 'other'].map((tenant) => newKey({ tenant, scopes: ['read', 'write'] }))
    await changeKeys(keyFileOf(h.dir), () => [ours!.record, theirs!.record])
    const as = ({ key }: { key: string }) => ({ authorization: `Bearer ${key}` })
    const upload = await announce(about, as(ours!))
    const put = (who: { key: string }) => send(upload.url, picture, { 'content-type': 'image/png', ...as(who) })
    const use = (who: { key: string }) =>
      call(h.app, { method: 'POST', url: '/v1/embeddings', payload: { input: part(upload.id) }, headers: as(who) })
    expect((await put(theirs!)).statusCode).toBe(404)
    expect((await put(ours!)).statusCode).toBe(204)
    expect((await use(theirs!)).statusCode).toBe(422)
    expect((await use(ours!)).statusCode).toBe(200)
    await changeKeys(keyFileOf(h.dir), () => [])
  })

  it('can be sent for an hour and used for a day, and is gone then', async () => {
    const dir = join(h.dir, 'aged')
    const objects = new FolderObjects(dir)
    const uploads = new UploadService(objects)
    const { id } = await uploads.create('t', { bytes: 3, mediaType: 'image/png' })
    const sent = () => uploads.receive('t', id, 'image/png', async () => Buffer.from('abc'))
    await sent()
    const hour = 60 * 60 * 1000
    vi.useFakeTimers({ now: Date.now() + 2 * hour, toFake: ['Date'] })
    await expect(sent()).rejects.toThrow('announce another')
    expect((await uploads.open('t', id)).bytes.length).toBe(3)
    expect(await uploads.sweep()).toBe(0)
    vi.setSystemTime(Date.now() + 23 * hour)
    await expect(uploads.open('t', id)).rejects.toThrow('There is no such upload')
    vi.useRealTimers()
    const old = new Date(Date.now() - 26 * hour)
    for (const name of ['about', 'bytes']) await utimes(join(dir, id, name), old, old)
    expect(await uploads.sweep()).toBe(2)
  })
})

describe.skipIf(S3_SERVER === undefined)('an upload to a bucket', () => {
  let server: S3Server
  let s3: Harness
  beforeAll(async () => {
    Object.assign(process.env, CREDENTIALS)
    server = await startS3Server()
    const { endpoint } = server
    const files = await sharedFiles({
      kind: 's3',
      bucket: BUCKET,
      prefix: 'p',
      endpoint,
      region: undefined,
      pathStyle: true,
    })
    s3 = await startHarness({ files })
    await call(s3.app, { method: 'POST', url: '/v1/collections', payload: { name: 'c' } })
  })
  afterAll(async () => {
    await s3?.close()
    await server?.close()
  })
  const post = (url: string, payload: object) => call(s3.app, { method: 'POST', url, payload })
  const upload = async (announced: object, bytes: Buffer) => {
    const answer = (await post('/v1/uploads', announced)).json()
    const sent = await fetch(answer.url, { method: answer.method, headers: answer.headers, body: bytes as never })
    return { ...answer, status: sent.status }
  }

  it('goes there without passing through the service, and is used like any other', async () => {
    const { id, url, status } = await upload({ ...about, sha256: sha256Of(picture) }, picture)
    expect([status, new URL(url).origin]).toEqual([200, server.endpoint])
    const item = await post('/v1/collections/c/items', { id: 'ahead', input: part(id) })
    expect(item.json()).toMatchObject({ sha256: sha256Of(picture), bytes: picture.length })
    const media = '/v1/collections/c/items/ahead/media'
    const ranged = await call(s3.app, { url: media, headers: { range: 'bytes=1-3' } })
    expect([ranged.statusCode, ranged.rawPayload.toString()]).toEqual([206, 'PNG'])
    const thumbnail = await call(s3.app, { url: '/v1/collections/c/items/ahead/thumbnail' })
    expect([thumbnail.statusCode, thumbnail.headers['content-type']]).toEqual([200, 'image/webp'])
    expect(
      (
        await call(s3.app, {
          method: 'PUT',
          url: `/v1/uploads/${id}`,
          payload: picture,
          headers: { 'content-type': 'image/png' },
        })
      ).statusCode,
    ).toBe(404)
  })

  it('is checked again when it is used, should the server not have done so', async () => {
    const { id } = (await post('/v1/uploads', about)).json()
    const { S3Objects } = await import('../../src/objects/s3-objects.ts')
    const { endpoint } = server
    const bucket = new S3Objects({ bucket: BUCKET, prefix: 'p/uploads', endpoint, region: undefined, pathStyle: true })
    await bucket.put(`${id}/bytes`, Buffer.concat([picture, picture]))
    const used = await post('/v1/embeddings', { input: part(id) })
    expect([used.statusCode, used.json().code]).toEqual([422, 'unprocessable-content'])
    expect(used.json().detail).toContain(`It has ${2 * picture.length} bytes and not the ${picture.length} announced.`)
  })

  it('answers 503 in clear words, and writes nothing, while the bucket cannot be reached', async () => {
    await server.stop()
    const answers = [
      await post('/v1/uploads', about),
      await post('/v1/collections/c/items', { id: 'lost', input: 'words' }),
      await call(s3.app, { url: '/v1/collections/c/items/ahead/media' }),
      await call(s3.app, { url: '/readyz' }),
    ]
    for (const answer of answers) {
      expect([answer.statusCode, answer.json().code]).toEqual([503, 'vector-store-unavailable'])
      expect(answer.json().detail).toContain(`the bucket '${BUCKET}' cannot be reached (ECONNREFUSED)`)
      expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0)
    }
    expect((await call(s3.app, { url: '/v1/collections/c/items/lost' })).statusCode).toBe(404)
    await server.start()
    const again = await post('/v1/collections/c/items', { id: 'lost', input: 'words' })
    expect([again.statusCode, again.json().detail]).toEqual([201, undefined])
  })
})
