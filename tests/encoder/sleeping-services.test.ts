/** What a request meets when encoder services sleep until they are wanted. Encoders are fake. */
import { createServer } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, it } from 'vitest'
import type { BundleManifest } from '../../src/bundle/manifest.ts'
import { setDeadline } from '../../src/deadline.ts'
import type { Encoder, EncoderInput } from '../../src/encoder/encoder.ts'
import { EncoderServer } from '../../src/encoder/remote/encoder-server.ts'
import { openRemoteEncoder, type RemoteEncoderOptions } from '../../src/encoder/remote/remote-encoder.ts'
import type { ServicesEncoder } from '../../src/encoder/text-fallback.ts'
import { DomainError } from '../../src/errors.ts'
import { freePort } from '../processes.ts'

const SECRET = 'a-secret-of-the-tests'
const SHA256 = 'a'.repeat(64)
const MANIFEST = {
  name: 'fake',
  embedDim: 1,
  modalities: ['text'],
  text: { graph: 't', maxTokens: 70, vocabSize: 100_000 },
} as unknown as BundleManifest
const WAKE_S = 90

const text = (id: number): EncoderInput => ({ modality: 'text', tokenIds: [id, 2] })

const cleanups: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

async function serviceOn(port: number, secret = SECRET, opened: Promise<void> = Promise.resolve()): Promise<number> {
  const encoder = {
    modalities: ['text'],
    heads: [],
    ready: () => opened,
    encode: async (input: EncoderInput) => Float32Array.of(input.modality === 'text' ? input.tokenIds[0]! : -1),
  } as unknown as Encoder
  const server = new EncoderServer({ encoder, model: { name: 'fake', sha256: SHA256 }, secret, maxBodyBytes: 1 << 20 })
  const address = await server.listen(port, '127.0.0.1')
  cleanups.push(() => server.close())
  return address.port
}

function clientOf(port: number, options: Partial<RemoteEncoderOptions> = {}): ServicesEncoder {
  const urls = [`http://127.0.0.1:${port}`]
  const client = openRemoteEncoder(MANIFEST, SHA256, {
    urls,
    secret: SECRET,
    patienceMs: 300,
    wakeS: WAKE_S,
    ...options,
  })
  cleanups.push(() => client.close())
  return client
}

function timeOf(ms: number): AbortSignal {
  const control = new AbortController()
  setDeadline(control.signal, performance.now() + ms)
  const timer = setTimeout(() => control.abort(new DomainError('deadline-exceeded', 'Over.')), ms)
  cleanups.push(async () => clearTimeout(timer))
  return control.signal
}

it('waits for a sleeping service as long as the request has time, and then uses it', async () => {
  const port = await freePort()
  const client = clientOf(port)
  const encodings = [5, 6, 7].map((id) => client.encode(text(id), timeOf(30_000)))
  await sleep(700) // more than a request without a deadline would wait
  await serviceOn(port)
  expect(await Promise.all(encodings)).toEqual([5, 6, 7].map((id) => Float32Array.of(id)))
})

it('says that services are starting, and when to come back, before the deadline would say less', async () => {
  const client = clientOf(await freePort())
  const error = await client.encode(text(5), timeOf(900)).catch((reason: unknown) => reason)
  expect(error).toMatchObject({ code: 'encoder-starting', message: expect.stringContaining('try again in') })
  const { retryAfterS } = error as DomainError
  expect(retryAfterS).toBeGreaterThan(WAKE_S / 2)
  expect(retryAfterS).toBeLessThanOrEqual(WAKE_S)
})

it('keeps a request without a deadline for its patience only', async () => {
  await expect(clientOf(await freePort()).encode(text(5))).rejects.toMatchObject({ code: 'encoder-starting' })
})

it('drops at once what is given up while it waits', async () => {
  const client = clientOf(await freePort())
  const control = new AbortController()
  const encoding = client.encode(text(5), control.signal)
  control.abort(new DomainError('deadline-exceeded', 'The client has gone.'))
  await expect(encoding).rejects.toMatchObject({ code: 'deadline-exceeded' })
})

it('counts a service that is still opening its model as starting', async () => {
  const client = clientOf(await serviceOn(0, SECRET, new Promise(() => {})))
  await expect(client.encode(text(5))).rejects.toMatchObject({ code: 'encoder-starting' })
})

it('counts a load balancer with nothing behind it as a service that sleeps', async () => {
  const balancer = createServer((_, response) => response.writeHead(503).end('<h1>Service Unavailable</h1>'))
  await new Promise<void>((resolve) => balancer.listen(0, '127.0.0.1', resolve))
  cleanups.push(
    async () => balancer.closeAllConnections(),
    () => new Promise((resolve) => balancer.close(resolve)),
  )
  const client = clientOf((balancer.address() as { port: number }).port)
  await expect(client.encode(text(5))).rejects.toMatchObject({ code: 'encoder-starting' })
})

it('does not wait for what waiting will not mend', async () => {
  const client = clientOf(await serviceOn(0, 'another-secret-of-length'))
  await expect(client.encode(text(5), timeOf(30_000))).rejects.toMatchObject({
    code: 'encoder-unavailable',
    message: expect.stringContaining('set ENCODER_SECRET alike'),
  })
})

it('is ready while services sleep, and is not where they never do', async () => {
  const port = await freePort()
  await expect(clientOf(port).ready()).resolves.toBeUndefined()
  await expect(clientOf(port, { wakeS: 0 }).ready()).rejects.toMatchObject({ code: 'encoder-unavailable' })
  await expect(clientOf(port, { wakeS: 0 }).encode(text(5))).rejects.toMatchObject({ code: 'encoder-unavailable' })
})
