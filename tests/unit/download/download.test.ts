/** Downloads from a local server that breaks off, changes its mind, or lies. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { download } from '../../../src/download/download.ts'
import { onepeace } from '../../command-line.ts'

const CONTENT = Buffer.from(Uint8Array.from({ length: 300_000 }, (_, i) => (i * 31) % 251))
const SHA256 = createHash('sha256').update(CONTENT).digest('hex')
const QUICK = { firstWaitMs: 1 }
let dir: string
let path: string
let server: Server
let url: string
let requests: IncomingMessage[]
/** What the server does; `serve` by default. */
let answer: (request: IncomingMessage, response: ServerResponse) => void

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'onepeace-download-'))
  path = join(dir, 'file.pt')
  requests = []
  answer = (request, response) => serve(request, response)
  server = createServer((request, response) => {
    requests.push(request)
    answer(request, response)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/file.pt`
})
afterEach(async () => {
  server.closeAllConnections()
  server.close()
  await rm(dir, { recursive: true, force: true })
})

/** Ranges by RFC 9110 §14, of the version that `If-Range` names. */
function serve(
  { headers }: IncomingMessage,
  response: ServerResponse,
  { etag = '"v1"', content = CONTENT, upTo = Infinity } = {},
) {
  const isSame = headers['if-range'] === undefined || headers['if-range'] === etag
  const start = isSame ? Number(/^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1] ?? 0) : 0
  const isPart = isSame && headers.range !== undefined
  response.writeHead(isPart ? 206 : 200, {
    etag,
    'content-length': content.length - start,
    ...(isPart && { 'content-range': `bytes ${start}-${content.length - 1}/${content.length}` }),
  })
  if (upTo >= content.length) return void response.end(content.subarray(start))
  response.write(content.subarray(start, upTo), () => setTimeout(() => response.destroy(), 20))
}

/** The first request breaks off half way. */
function breakOffOnce(then = serve) {
  answer = (request, response) => {
    if (requests.length === 1) serve(request, response, { upTo: CONTENT.length / 2 })
    else then(request, response)
  }
}

it('gets a file whole, and does not get it again', async () => {
  const seen: number[] = []
  const got = await download(url, path, { sha256: SHA256, onProgress: (bytes) => seen.push(bytes) })
  expect(got).toEqual({ bytes: CONTENT.length, sha256: SHA256, wasThere: false })
  expect(seen.at(-1)).toBe(CONTENT.length)
  expect(await download(url, path)).toMatchObject({ sha256: SHA256, wasThere: true })
  expect(requests).toHaveLength(1)
  expect(await readdir(dir)).toEqual(['file.pt'])
})

it('asks for the rest when the connection breaks off', async () => {
  breakOffOnce()
  await download(url, path, { ...QUICK, sha256: SHA256 })
  expect(requests.map(({ headers }) => headers.range)).toEqual([undefined, expect.stringMatching(/^bytes=\d{5,}-$/)])
  expect((await readFile(path)).equals(CONTENT)).toBe(true)
})

it('goes on in a later run where an earlier one was stopped', async () => {
  answer = (request, response) => serve(request, response, { upTo: CONTENT.length / 2 })
  const stop = new AbortController()
  const onProgress = (bytes: number) => bytes >= CONTENT.length / 2 && stop.abort()
  await expect(download(url, path, { signal: stop.signal, onProgress })).rejects.toThrow()
  answer = (request, response) => serve(request, response)
  await download(url, path, { sha256: SHA256 })
  expect(requests.at(-1)!.headers.range).toMatch(/^bytes=\d{5,}-$/)
})

it('starts over when the file has changed in between, and when the server gives no version', async () => {
  const content = Buffer.from(CONTENT).reverse()
  breakOffOnce((request, response) => serve(request, response, { etag: '"v2"', content }))
  await download(url, path, QUICK)
  expect((await readFile(path)).equals(content)).toBe(true)

  requests = []
  await rm(path)
  breakOffOnce((request, response) => serve(request, response, { etag: 'W/"weak"' }))
  await writeFile(`${path}.part`, 'of unknown origin')
  await download(url, path, { ...QUICK, sha256: SHA256 })
  expect(requests[0]!.headers.range).toBeUndefined()
})

it('waits when the server is busy, and gives up at once when there is no such file', async () => {
  answer = (request, response) => {
    if (requests.length === 1) response.writeHead(503, { 'retry-after': '0' }).end()
    else serve(request, response)
  }
  await download(url, path, { sha256: SHA256 })
  await rm(path)
  answer = (_, response) => void response.writeHead(404).end()
  await expect(download(url, path)).rejects.toThrow(/answered 404/)
  expect(requests).toHaveLength(3)
})

it('gives up after some tries that bring nothing, and says that the next run goes on', async () => {
  answer = (_, response) => void response.destroy()
  await expect(download(url, path, QUICK)).rejects.toThrow(/broke off after 0 bytes; the same command goes on/)
  expect(requests.length).toBeGreaterThan(3)
})

it('keeps nothing that is not what its hash says', async () => {
  await expect(download(url, path, { sha256: 'f'.repeat(64) })).rejects.toThrow(/is not kept/)
  expect((await readdir(dir)).filter((name) => !name.endsWith('.json'))).toEqual([])
  await writeFile(path, 'other')
  await expect(download(url, path, { sha256: SHA256 })).rejects.toThrow(/is there, but its SHA-256/)
})

it('pulls an address from the command line, over a connection that breaks off', async () => {
  breakOffOnce()
  const out = join(dir, 'out')
  const pulled = await onepeace(['pull', url, '--out', out, '--sha256', SHA256, '--json'])
  expect(pulled.code).toBe(0)
  expect(JSON.parse(pulled.stdout)).toMatchObject([{ path: join(out, 'file.pt'), sha256: SHA256 }])
  expect((await readFile(join(out, 'file.pt'))).equals(CONTENT)).toBe(true)
})
