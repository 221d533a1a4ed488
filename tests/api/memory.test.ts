/** What a request leaves behind in the service's memory, once it is answered: nothing that adds up. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { type LiveServer, startServer } from '../live-server.ts'

/** Loaded into the service: on SIGUSR2 it collects its garbage and writes down what JavaScript holds, in bytes. */
const REPORTER = `
import { renameSync, writeFileSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { isMainThread } from 'node:worker_threads'
if (isMainThread) {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc')
  process.on('SIGUSR2', async () => {
    for (let i = 0; i < 3; i++) {
      collect()
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    const { heapUsed, external } = process.memoryUsage()
    writeFileSync(process.env.REPORT + '.draft', String(heapUsed + external))
    renameSync(process.env.REPORT + '.draft', process.env.REPORT)
  })
}`
const CLIENTS = 32

let folder: string
let server: LiveServer
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'onepeace-memory-'))
  await writeFile(join(folder, 'reporter.mjs'), REPORTER)
  const env = {
    NODE_OPTIONS: `--import=${join(folder, 'reporter.mjs')}`,
    REPORT: join(folder, 'report'),
    ONEPEACE_CACHE_BYTES: '0',
  }
  server = await startServer([], env)
  await post('/v1/collections', { name: 'kept' })
}, 60_000)
afterAll(async () => {
  await server?.stop()
  await rm(folder, { recursive: true, force: true })
})

async function post(path: string, body: unknown): Promise<void> {
  const headers = { 'content-type': 'application/json' }
  const response = await fetch(server.url + path, { method: 'POST', headers, body: JSON.stringify(body) })
  await response.arrayBuffer()
  expect(response.status).toBeLessThan(300)
}

async function heldBytes(): Promise<number> {
  const report = join(folder, 'report')
  await rm(report, { force: true })
  process.kill(server.pid, 'SIGUSR2')
  return vi.waitFor(async () => Number(await readFile(report, 'utf8')), { timeout: 20_000, interval: 50 })
}

let sent = 0
async function send(count: number, one: (n: number) => Promise<void>): Promise<void> {
  const end = sent + count
  const client = async () => {
    while (sent < end) await one(sent++)
  }
  await Promise.all(Array.from({ length: CLIENTS }, client))
}

it.each([
  ['an embedding', 2000, (n: number) => post('/v1/embeddings', { input: `a picture of dog number ${n}` })],
  ['an item', 1500, (n: number) => post('/v1/collections/kept/items', { input: `note ${n}`, metadata: { n } })],
  ['a search', 1000, (n: number) => post('/v1/collections/kept/search', { query: `note ${n}`, limit: 3 })],
] as const)(
  '%s leaves nothing behind',
  async (_, count, one) => {
    await send(count / 2, one)
    const before = await heldBytes()
    await send(count, one)
    const left = (await heldBytes()) - before
    expect(left / count, 'bytes for each').toBeLessThan(800) // what is compiled meanwhile is 200 to 400
  },
  120_000,
)
