/** Addresses that want us to reach what they cannot reach themselves, or to wait, or to fill our memory. */
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import * as fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { isGloballyRoutable } from '../../src/media/addresses.ts'
import { RemoteFetcher, type RemoteFetcherOptions } from '../../src/media/remote-fetch.ts'
import { call } from '../api/conforms.ts'
import { startHarness } from '../api/harness.ts'
import { dataUrl, png } from '../api/pictures.ts'

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
})

async function serve(listener: RequestListener): Promise<number> {
  const server = createServer(listener)
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

/** Takes 127.0.0.1 for the public internet; names are answered by `resolve`. */
const fetcherOf = (options: Partial<RemoteFetcherOptions> = {}) =>
  new RemoteFetcher({
    maxBytes: 1000,
    timeoutMs: 500,
    resolve: async () => ['127.0.0.1'],
    allows: (address) => address === '127.0.0.1' || isGloballyRoutable(address),
    allowsPort: () => true,
    ...options,
  })

const REFUSED = { code: 'invalid-request' }
const NOWHERE = 'The URL leads to no address of the public internet.'

describe('addresses that are not of the public internet', () => {
  it.each([
    '127.0.0.1',
    '10.1.2.3',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '169.254.169.254',
    '100.64.0.1',
    '0.0.0.0',
    '198.18.0.1',
    '192.0.2.1',
    '224.0.0.1',
    '255.255.255.255',
    '::1',
    '::',
    'fe80::1',
    'fc00::1',
    'fd12::1',
    'ff02::1',
    '::ffff:127.0.0.1',
    '::ffff:8.8.8.8',
    '64:ff9b::a00:1',
    '2002:a00:1::',
    '2001::1',
    '2001:db8::1',
    'localhost',
    '',
  ])('%s is refused', (address) => expect(isGloballyRoutable(address)).toBe(false))

  it.each(['8.8.8.8', '1.1.1.1', '172.32.0.1', '100.128.0.1', '2606:4700::1111', '2a00:1450:4001::1'])(
    '%s is taken',
    (address) => expect(isGloballyRoutable(address)).toBe(true),
  )

  it('no IPv4 address passes in a form that wraps it', () => {
    const byte = fc.integer({ min: 0, max: 255 })
    fc.assert(
      fc.property(byte, byte, byte, byte, (a, b, c, d) => {
        const hex = `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`
        for (const wrapped of [`::ffff:${a}.${b}.${c}.${d}`, `::${hex}`, `64:ff9b::${hex}`, `2002:${hex}::1`]) {
          expect(isGloballyRoutable(wrapped), wrapped).toBe(false)
        }
      }),
    )
  })
})

describe('a URL', () => {
  const strict = new RemoteFetcher({ maxBytes: 1000, timeoutMs: 500, resolve: async () => ['8.8.8.8'] })
  it.each([
    'http://127.0.0.1/',
    'http://2130706433/',
    'http://0x7f.1/',
    'http://0177.0.0.1/',
    'http://127.1/',
    'http://[::1]/',
    'http://[::ffff:7f00:1]/',
    'http://[::ffff:169.254.169.254]/latest/meta-data/',
    'http://0/',
    'http://①②⑦.0.0.1/',
  ])('%s that spells this machine is refused', async (url) => {
    await expect(strict.fetch(url)).rejects.toMatchObject({ ...REFUSED, message: NOWHERE })
  })

  it.each([
    'file:///etc/passwd',
    'ftp://example.org/a',
    'gopher://example.org/',
    'http:\\\\example.org\\a',
    'http://a\\@example.org/',
    'http://user@example.org/',
    'http://user:pw@example.org/',
    'http://example.org/a b',
    'http://exa\tmple.org/',
    'http://example.org:22/',
    'http://example.org:6333/',
    'http://',
    'nothing',
  ])('%s is refused before anything is resolved', async (url) => {
    let resolved = 0
    const counting = new RemoteFetcher({ maxBytes: 9, timeoutMs: 500, resolve: async () => [String(++resolved)] })
    await expect(counting.fetch(url)).rejects.toMatchObject(REFUSED)
    expect(resolved).toBe(0)
  })

  it('whose name has one private address among others is refused, with the same words', async () => {
    const mixed = new RemoteFetcher({ maxBytes: 9, timeoutMs: 500, resolve: async () => ['8.8.8.8', '10.0.0.1'] })
    await expect(mixed.fetch('http://mixed.test/')).rejects.toMatchObject({ ...REFUSED, message: NOWHERE })
  })
})

describe('a fetch', () => {
  it('connects to the address that was checked, whatever the name says next, and bears the name', async () => {
    let host = ''
    const port = await serve((request, response) => {
      host = request.headers.host ?? ''
      response.end('bytes')
    })
    let asked = 0
    const rebinding = fetcherOf({ resolve: async () => (asked++ === 0 ? ['127.0.0.1'] : ['10.0.0.1']) })
    expect(Buffer.from(await rebinding.fetch(`http://rebind.test:${port}/a?b`)).toString()).toBe('bytes')
    expect([asked, host]).toEqual([1, `rebind.test:${port}`])
  })

  it('goes on to the next address where one does not answer', async () => {
    const port = await serve((_, response) => response.end('bytes'))
    const resolve = async () => ['127.0.0.2', '127.0.0.1'] // nobody listens on the first
    const fetcher = fetcherOf({ resolve, allows: (address) => address.startsWith('127.') })
    expect(Buffer.from(await fetcher.fetch(`http://a.test:${port}/`)).toString()).toBe('bytes')
  })

  it('checks every hop of a redirect again', async () => {
    for (const location of [
      'http://10.0.0.1/',
      'http://169.254.169.254/',
      'file:///etc/passwd',
      '//user@x.test/',
      '\\\\x',
    ]) {
      const port = await serve((_, response) => response.writeHead(302, { location }).end())
      await expect(fetcherOf().fetch(`http://a.test:${port}/`), location).rejects.toMatchObject(REFUSED)
    }
  })

  it('follows a redirect that is fine, but not in a circle', async () => {
    const port = await serve((request, response) => {
      if (request.url === '/end') response.end('here')
      else response.writeHead(307, { location: request.url === '/go' ? '/end' : '/round' }).end()
    })
    expect(Buffer.from(await fetcherOf().fetch(`http://a.test:${port}/go`)).toString()).toBe('here')
    await expect(fetcherOf().fetch(`http://a.test:${port}/round`)).rejects.toThrow('redirects more than 5 times')
  })

  it('ends at its deadline, though bytes keep dripping, a name is never resolved or nobody answers', async () => {
    const port = await serve((_, response) => {
      const drip = setInterval(() => response.write('x'), 20)
      response.on('close', () => clearInterval(drip))
    })
    const silent = await serve(() => {})
    const slow = { code: 'undecodable-media', message: expect.stringContaining('within 500 ms') }
    await expect(fetcherOf().fetch(`http://a.test:${port}/`)).rejects.toMatchObject(slow)
    await expect(fetcherOf().fetch(`http://a.test:${silent}/`)).rejects.toMatchObject(slow)
    const unresolved = fetcherOf({ resolve: () => new Promise(() => {}) })
    await expect(unresolved.fetch('http://a.test/')).rejects.toMatchObject(slow)
  })

  it('takes no more bytes than allowed, whatever length is declared', async () => {
    const endless = await serve((_, response) => {
      const more = () => response.write(Buffer.alloc(400), () => setImmediate(more))
      more()
    })
    const declared = await serve((_, response) => response.writeHead(200, { 'content-length': '1001' }).write('x'))
    for (const port of [endless, declared]) {
      await expect(fetcherOf().fetch(`http://a.test:${port}/`)).rejects.toMatchObject({ code: 'media-too-large' })
    }
  })

  it('refuses compressed answers and those that are no success', async () => {
    const bomb = await serve((_, response) =>
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(Buffer.alloc(1 << 20))),
    )
    const missing = await serve((_, response) => response.writeHead(404).end('no'))
    await expect(fetcherOf().fetch(`http://a.test:${bomb}/`)).rejects.toThrow('content-encoding')
    await expect(fetcherOf().fetch(`http://a.test:${missing}/`)).rejects.toThrow('status 404')
    const gone = fetcherOf({ resolve: () => Promise.reject(new Error('ENOTFOUND')) })
    await expect(gone.fetch('http://gone.test/')).rejects.toMatchObject({ code: 'undecodable-media' })
  })

  it('that was given up before it began leaves no failure that nobody hears', async () => {
    const unheard: unknown[] = []
    const hear = (error: unknown) => unheard.push(error)
    process.on('unhandledRejection', hear)
    const gone = fetcherOf({ resolve: () => Promise.reject(new Error('ENOTFOUND')) })
    await expect(gone.fetch('http://gone.test/', AbortSignal.abort())).rejects.toMatchObject({
      code: 'deadline-exceeded',
    })
    await new Promise((resolve) => setTimeout(resolve, 20))
    process.off('unhandledRejection', hear)
    expect(unheard).toEqual([])
  })

  it('is given up with the request it is for, and refused where fetching is off', async () => {
    const port = await serve(() => {})
    const waiting = fetcherOf({ timeoutMs: 10_000 }).fetch(`http://a.test:${port}/`, AbortSignal.timeout(50))
    await expect(waiting).rejects.toMatchObject({ code: 'deadline-exceeded' })
    await expect(fetcherOf({ enabled: false }).fetch('http://a.test/')).rejects.toMatchObject(REFUSED)
  })
})

it('a picture given by its address is embedded and kept as the same bytes given in the request, fetched once', async () => {
  const picture = png(6, 6, [9, 90, 200])
  let requests = 0
  const port = await serve((request, response) => {
    requests++
    response.end(request.url === '/page' ? '<html>' : picture)
  })
  const h = await startHarness({ fetcher: fetcherOf({ maxBytes: 100_000, timeoutMs: 5000 }) })
  const remote = { type: 'image_url', image_url: { url: `http://a.test:${port}/p.png` } }
  const embed = async (input: object) =>
    (await call(h.app, { method: 'POST', url: '/v1/embeddings', payload: { input } })).json()
  const byBytes = await embed({ type: 'image_url', image_url: { url: dataUrl(picture) } })
  expect((await embed(remote)).data).toEqual(byBytes.data)
  await call(h.app, { method: 'POST', url: '/v1/collections', payload: { name: 'far' } })
  requests = 0
  const item = await call(h.app, { method: 'POST', url: '/v1/collections/far/items', payload: { input: remote } })
  expect([item.statusCode, requests]).toEqual([201, 1])
  const original = await call(h.app, { method: 'GET', url: item.json().media_url })
  expect(original.rawPayload.equals(picture)).toBe(true)
  const page = await embed({ type: 'image_url', image_url: { url: `http://a.test:${port}/page` } })
  expect(page.code).toBe('unsupported-media-type')
  const inside = await embed({ type: 'image_url', image_url: { url: 'http://10.0.0.1/' } })
  expect(inside).toMatchObject({ status: 400, detail: NOWHERE })
  await h.close()
})

it.each([
  ['inputs', (part: object) => Array(128).fill(part)],
  ['parts of one input', (part: object) => ({ content: Array(128).fill(part) })],
])('a request of 128 addresses as %s has no more than 16 pictures fetched and waiting', async (_, inputOf) => {
  let fetched = 0
  const fetch = async () => {
    fetched++
    return png(6, 6)
  }
  const fetcher = { fetch } as unknown as RemoteFetcher
  const h = await startHarness({ fetcher })
  h.encoder.delayMs = 300
  const input = inputOf({ type: 'image_url', image_url: { url: 'http://a.test/' } })
  const running = h.app.inject({ method: 'POST', url: '/v1/embeddings', payload: { input } })
  await expect.poll(() => h.encoder.seen.length, { interval: 5 }).toBeGreaterThan(0)
  const atFirst = fetched - h.encoder.seen.length
  h.encoder.delayMs = 0
  expect([atFirst <= 16, (await running).statusCode, fetched]).toEqual([true, 200, 128])
  await h.close()
})
