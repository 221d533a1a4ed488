import { createHash } from 'node:crypto'
import { createServer } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { told } from '../../src/objects/object-store.ts'
import { S3Objects } from '../../src/objects/s3-objects.ts'
import { BUCKET, CHECKS_SIGNATURES, CREDENTIALS, S3_SERVER, type S3Server, startS3Server } from '../s3-server.ts'

Object.assign(process.env, CREDENTIALS)
let server: S3Server
const at = (endpoint: string, prefix: string, bucket = BUCKET) =>
  new S3Objects({ bucket, prefix, endpoint, pathStyle: true, region: undefined })

describe.skipIf(S3_SERVER === undefined)('in a bucket', async () => {
  beforeAll(async () => {
    server = await startS3Server()
  })
  afterAll(() => server.close())

  const { objectStoreContract } = await import('./object-store.ts')
  objectStoreContract(async () => ({
    store: at(server.endpoint, 'some/prefix'),
    second: at(server.endpoint, 'some').room('prefix'),
    close: async () => {},
  }))

  it('lists more than a page of a thousand', async () => {
    const store = at(server.endpoint, 'many')
    for (let from = 0; from < 1100; from += 50)
      await Promise.all(Array.from({ length: 50 }, (_, i) => store.put(`k${from + i}`, '')))
    const keys = new Set<string>()
    for await (const { key } of store.list()) keys.add(key)
    expect(keys.size).toBe(1100)
  })

  const sendTo = async (bytes: string, { url, headers }: { url: string; headers: Record<string, string> }, more = {}) =>
    (await fetch(url, { method: 'PUT', body: bytes, headers: { ...headers, ...more } })).status
  const sha256 = createHash('sha256').update('12345').digest('hex')

  it('signs an upload that anybody can make who has the address', async () => {
    const store = at(server.endpoint, 'uploads')
    const signed = await store.signUpload('x', { bytes: 5, mediaType: 'image/png', sha256, expiresS: 60 })
    expect(new URL(signed.url).searchParams.get('X-Amz-SignedHeaders')).toBe(
      'content-length;content-type;host;x-amz-checksum-sha256',
    )
    expect(await sendTo('12345', signed)).toBe(200)
    expect((await store.get('x'))?.toString()).toBe('12345')
  })

  it.skipIf(!CHECKS_SIGNATURES)('lets nobody upload another length, type or content than was signed', async () => {
    const store = at(server.endpoint, 'uploads')
    const signed = await store.signUpload('y', { bytes: 5, mediaType: 'image/png', sha256, expiresS: 60 })
    expect(await sendTo('123456', signed)).toBe(403)
    expect(await sendTo('12345', signed, { 'content-type': 'text/html' })).toBe(403)
    expect(await sendTo('54321', signed)).toBe(400)
    expect(await sendTo('12345', { ...signed, url: signed.url.replace('/y?', '/z?') })).toBe(403)
    expect(await store.stat('y')).toBeUndefined()
  })

  const why = async (store: S3Objects) =>
    (await told(
      'It failed',
      store.get('a').then(() => store.ready()),
    ).catch((error: Error) => error)) as Error

  it('says in words what is wrong: no such bucket, wrong credentials, nobody there, no answer', async () => {
    expect((await why(at(server.endpoint, '', 'no-such-bucket'))).message).toBe(
      "It failed, as the bucket 'no-such-bucket' is not there. The operator has to mend it.",
    )
    expect((await why(at('http://127.0.0.1:1', ''))).message).toContain('cannot be reached (ECONNREFUSED)')
  })

  it.skipIf(!CHECKS_SIGNATURES)('says that the credentials are wrong', async () => {
    process.env.AWS_SECRET_ACCESS_KEY = 'another-secret'
    try {
      const { message } = await why(at(server.endpoint, ''))
      expect(message).toContain(`the credentials do not open the bucket '${BUCKET}' (SignatureDoesNotMatch)`)
    } finally {
      process.env.AWS_SECRET_ACCESS_KEY = CREDENTIALS.AWS_SECRET_ACCESS_KEY
    }
  })

  it('goes on when the server comes back', async () => {
    const store = at(server.endpoint, 'back')
    if (CHECKS_SIGNATURES) await store.put('a', 'kept') // moto keeps nothing
    await server.stop()
    await expect(store.get('a')).rejects.toThrow('cannot be reached')
    await server.start()
    if (CHECKS_SIGNATURES) expect((await store.get('a'))?.toString()).toBe('kept')
  })
})

it('tries again what a server broke off', async () => {
  let connections = 0
  const server = createServer((socket) => {
    connections++
    socket.on('error', () => {})
    if (connections < 3) socket.once('data', () => socket.destroy())
    else
      socket.once('data', () =>
        socket.end('HTTP/1.1 200 OK\r\ncontent-length: 2\r\nlast-modified: Wed, 25 Nov 2026 00:00:00 GMT\r\n\r\nok'),
      )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  expect((await at(`http://127.0.0.1:${port}`, '').get('a'))?.toString()).toBe('ok')
  expect(connections).toBe(3)
  server.close()
})
