/** What becomes of requests when encoder services refuse, die, hang, or are others than they should be. Encoders are fake. */
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, it } from 'vitest'
import type { BundleManifest } from '../../src/bundle/manifest.ts'
import { setDeadline } from '../../src/deadline.ts'
import type { Encoder, EncoderInput } from '../../src/encoder/encoder.ts'
import { EncoderServer, type EncoderServerOptions } from '../../src/encoder/remote/encoder-server.ts'
import { openRemoteEncoder, type RemoteEncoderOptions } from '../../src/encoder/remote/remote-encoder.ts'
import { DomainError } from '../../src/errors.ts'

const SECRET = 'a-secret-of-the-tests'
const SHA256 = 'a'.repeat(64)
const MANIFEST = {
  name: 'fake',
  embedDim: 1,
  modalities: ['text', 'image'],
  text: { graph: 't', maxTokens: 70, vocabSize: 100_000 },
  image: { graph: 'i', preprocessGraph: 'p', sizePx: 16 },
  heads: [],
} as unknown as BundleManifest

type Work = (input: EncoderInput, signal?: AbortSignal) => Promise<Float32Array>
const idOf = (input: EncoderInput): number => (input.modality === 'text' ? input.tokenIds[0]! : -1)
const echo: Work = async (input) => Float32Array.of(idOf(input))
const text = (id: number): EncoderInput => ({ modality: 'text', tokenIds: [id, 2] })

/** Rejects when the signal fires. */
const givenUp = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason))
    if (signal.aborted) reject(signal.reason)
  })

const cleanups: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

interface Service {
  url: string
  server: EncoderServer
  /** Ids of texts it was given, in order. */
  seen: number[]
}

async function serviceOf(work: Work, options: Partial<EncoderServerOptions> = {}, port = 0): Promise<Service> {
  const seen: number[] = []
  const encoder = {
    modalities: ['text', 'image'],
    heads: [],
    ready: async () => {},
    encode: async (input: EncoderInput, signal?: AbortSignal) => {
      seen.push(idOf(input))
      return work(input, signal)
    },
  } as unknown as Encoder
  const model = { name: 'fake', sha256: SHA256 }
  const server = new EncoderServer({ encoder, model, secret: SECRET, maxBodyBytes: 1 << 28, ...options })
  const address = await server.listen(port, '127.0.0.1')
  cleanups.push(() => server.close())
  return { url: `http://127.0.0.1:${address.port}`, server, seen }
}

/** Something that takes connections and never says a word. */
async function mute(): Promise<{ url: string; taken: () => number }> {
  let taken = 0
  const server: Server = createServer((socket) => {
    taken++
    socket.on('error', () => {})
    cleanups.push(async () => socket.destroy())
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  cleanups.push(async () => server.close())
  return { url: `http://127.0.0.1:${(server.address() as { port: number }).port}`, taken: () => taken }
}

/** A way to a service whose connections can all be cut at once, as when a process dies; the next goes through again. */
async function frontOf({ url }: Service): Promise<{ url: string; cut(): void }> {
  const sockets = new Set<Socket>()
  const cut = () => {
    for (const socket of sockets) socket.destroy()
  }
  const server = createServer((socket) => {
    const onward = connect(Number(new URL(url).port), '127.0.0.1')
    for (const end of [socket, onward]) sockets.add(end.on('error', () => {}).on('close', () => sockets.delete(end)))
    socket.pipe(onward).pipe(socket)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  cleanups.push(async () => {
    server.close()
    cut()
  })
  return { url: `http://127.0.0.1:${(server.address() as { port: number }).port}`, cut }
}

function clientOf(urls: string[], options: Partial<RemoteEncoderOptions> = {}): Encoder {
  const client = openRemoteEncoder(MANIFEST, SHA256, { urls, secret: SECRET, patienceMs: 300, ...options })
  cleanups.push(() => client.close())
  return client
}

it('shares the work between services, giving each next input to the one with the least in work', async () => {
  const slow: Work = async (input) => {
    await sleep(300)
    return echo(input)
  }
  const services = [await serviceOf(slow), await serviceOf(slow)]
  const client = clientOf(services.map(({ url }) => url))
  const inputs = Array.from({ length: 6 }, (_, i) => i + 3)
  const results = inputs.map(async (id) => {
    await sleep(id * 10)
    return [...(await client.encode(text(id)))]
  })
  expect(await Promise.all(results)).toEqual(inputs.map((id) => [id]))
  expect(services.map(({ seen }) => seen.length)).toEqual([3, 3])
})

it('lets what waits share a request', async () => {
  const batches: number[] = []
  const service = await serviceOf(async (input) => {
    await sleep(100)
    return echo(input)
  })
  const client = clientOf([service.url], { onBatch: (_, waits) => batches.push(waits.length) })
  await Promise.all(Array.from({ length: 40 }, (_, i) => client.encode(text(i))))
  expect(Math.max(...batches)).toBeGreaterThan(8)
  expect(batches.reduce((sum, size) => sum + size)).toBe(40)
})

it('says plainly that the secrets differ, and gives nothing to the service', async () => {
  const service = await serviceOf(echo)
  const client = clientOf([service.url], { secret: 'another-secret-of-length' })
  await expect(client.ready()).rejects.toMatchObject({
    code: 'encoder-unavailable',
    message: expect.stringContaining('set ENCODER_SECRET alike'),
  })
  await expect(client.encode(text(5))).rejects.toThrow('set ENCODER_SECRET alike')
  expect(service.seen).toEqual([])
})

it('tells whoever does not know the secret nothing but that it is alive and ready', async () => {
  const { url } = await serviceOf(echo, { metrics: { contentType: 'text/plain', text: async () => 'numbers' } })
  const statuses = async (headers: Record<string, string>) =>
    Promise.all(
      ['/livez', '/readyz', '/v1/health', '/metrics', '/v1/run', '/other'].map(
        async (path) => (await fetch(url + path, { headers })).status,
      ),
    )
  expect(await statuses({})).toEqual([200, 200, 401, 401, 401, 401])
  expect(await statuses({ authorization: `Bearer ${SECRET}` })).toEqual([200, 200, 200, 200, 404, 404])
})

it('uses no service with another model, even one that was changed after it was found well', async () => {
  const other = { name: 'other', sha256: 'b'.repeat(64) }
  const first = await serviceOf(echo)
  const client = clientOf([first.url], { probeEveryMs: 60_000 })
  await client.ready()
  await first.server.close()
  const second = await serviceOf(echo, { model: other }, Number(new URL(first.url).port))
  await expect(client.encode(text(5))).rejects.toThrow(/runs the model other/)
  expect(second.seen).toEqual([])
  await expect(client.ready()).rejects.toThrow('give both the same bundle')
})

it('passes the time left on, so that a service drops what nobody waits for', async () => {
  const reasons: unknown[] = []
  const service = await serviceOf(
    (_, signal) =>
      new Promise((__, reject) => signal!.addEventListener('abort', () => reject(reasons.push(signal!.reason)))),
  )
  const client = clientOf([service.url])
  const control = new AbortController()
  setDeadline(control.signal, performance.now() + 100) // the clock here never fires: only the service's own does
  await expect(client.encode(text(5), control.signal)).rejects.toBeDefined()
  expect(reasons).toMatchObject([{ name: 'TimeoutError' }])
})

it('drops at the service what is given up here', async () => {
  let dropped = () => {}
  const gone = new Promise<void>((resolve) => {
    dropped = resolve
  })
  let begun = () => {}
  const began = new Promise<void>((resolve) => {
    begun = resolve
  })
  const service = await serviceOf((_, signal) => {
    begun()
    signal!.addEventListener('abort', dropped)
    return givenUp(signal!)
  })
  const client = clientOf([service.url])
  const control = new AbortController()
  const encoding = client.encode(text(5), control.signal)
  await began
  control.abort()
  await expect(encoding).rejects.toMatchObject({ code: 'deadline-exceeded' })
  await gone
})

it('tries another service when one is overloaded, and passes the advice on when all are', async () => {
  const full: Work = async () => {
    throw new DomainError('overloaded', 'Too much.', { retryAfterS: 9 })
  }
  const busy = await serviceOf(full)
  const free = await serviceOf(echo)
  const client = clientOf([busy.url, free.url])
  for (let id = 3; id < 9; id++) expect(await client.encode(text(id))).toEqual(Float32Array.of(id))
  expect(busy.seen.length).toBeGreaterThan(0)
  const refused = clientOf([busy.url, (await serviceOf(full)).url]).encode(text(5))
  await expect(refused).rejects.toMatchObject({ code: 'overloaded', retryAfterS: 9 })
})

it('bounds what a service takes on, with 503 and Retry-After before the body is sent', async () => {
  const service = await serviceOf(() => new Promise((resolve) => setTimeout(resolve, 400, Float32Array.of(1))), {
    maxRequests: 1,
  })
  const first = clientOf([service.url]).encode(text(5))
  await expect.poll(() => service.seen.length).toBe(1)
  await expect(clientOf([service.url]).encode(text(6))).rejects.toMatchObject({ code: 'overloaded', retryAfterS: 1 })
  const headers = { authorization: `Bearer ${SECRET}` }
  const refused = await fetch(`${service.url}/v1/run`, { method: 'POST', headers, body: 'anything' })
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1'])
  expect(await first).toEqual(Float32Array.of(1))
})

it('bounds what waits here', async () => {
  const service = await serviceOf(() => sleep(200, Float32Array.of(1)))
  const client = clientOf([service.url])
  const picture = (): EncoderInput => {
    const [width, height] = [20_000, 13_000]
    return { modality: 'image', width, height, data: { length: width * height * 3, byteLength: 0 } as never }
  }
  const first = client.encode(picture()).catch(() => {})
  await expect(client.encode(picture())).rejects.toMatchObject({ code: 'overloaded' })
  await first
})

it('takes work back from a service that hangs, by its missed probes, while one that is only slow is left to work', async () => {
  const hung = await mute()
  const slow = await serviceOf((input) => sleep(900).then(() => echo(input)))
  const client = clientOf([hung.url, slow.url], { probeEveryMs: 50, probeTimeoutMs: 100 })
  const results = await Promise.all(Array.from({ length: 8 }, (_, i) => client.encode(text(i))))
  expect(results.map(([id]) => id)).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
  expect(hung.taken()).toBeGreaterThan(0)
})

it('waits for a service to come back, within its patience, and then says why it does not', async () => {
  const service = await serviceOf(echo)
  const port = Number(new URL(service.url).port)
  const client = clientOf([service.url], { patienceMs: 3000, probeEveryMs: 50 })
  await client.encode(text(1))
  await service.server.close()
  const waiting = client.encode(text(7))
  await sleep(300)
  await serviceOf(echo, {}, port)
  expect(await waiting).toEqual(Float32Array.of(7))
  const nobody = clientOf(['http://127.0.0.1:1'])
  await expect(nobody.encode(text(5))).rejects.toMatchObject({
    code: 'encoder-unavailable',
    message: expect.stringMatching(/^Encoder service 1 of 1: It cannot be reached \(ECONNREFUSED\)\.$/),
    retryAfterS: 2,
  })
})

it('loses no company of an input that ends every service that takes it', async () => {
  const DEADLY = 13
  let deadlySeen = 0
  const urls: string[] = []
  for (let i = 0; i < 2; i++) {
    const service = await serviceOf(async (input, signal) => {
      await sleep(30)
      if (idOf(input) !== DEADLY) return echo(input)
      deadlySeen++
      front.cut()
      return givenUp(signal!)
    })
    const front = await frontOf(service)
    urls.push(front.url)
  }
  const client = clientOf(urls, { patienceMs: 5000, probeEveryMs: 50 })
  const results = await Promise.allSettled(Array.from({ length: 20 }, (_, i) => client.encode(text(i))))
  results.forEach((result, id) => {
    if (id === DEADLY) expect(result).toMatchObject({ status: 'rejected', reason: { code: 'encoder-unavailable' } })
    else expect(result).toEqual({ status: 'fulfilled', value: Float32Array.of(id) })
  })
  expect(deadlySeen).toBe(3)
})
