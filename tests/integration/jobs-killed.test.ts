/**
 * What a worker that is killed costs is time: real processes, ended by `kill -9` again and again in the middle of a job; at its end each
 * line is kept exactly once. One machine (`onepeace serve` with its journal), and a fleet (`serve` and `worker` on Redis and Qdrant).
 */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Schemas } from '../../src/http/openapi.ts'
import { startOnepeace } from '../command-line.ts'
import { addressOf, end } from '../processes.ts'
import { type QdrantStub, startQdrantStub } from '../qdrant-stub/server.ts'
import { HAS_REDIS, type RedisServer, startRedis } from '../redis-server.ts'
import { writeTinyBundle } from '../tiny-bundle.ts'

type Job = Schemas['Job']

let dir: string
let bundle: string
const started = new Set<ChildProcess>()
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'onepeace-killed-'))
  bundle = await writeTinyBundle(join(dir, 'model'))
})
afterAll(async () => {
  await Promise.all([...started].map(kill))
  await rm(dir, { recursive: true, force: true })
})

function run(args: string[], env: NodeJS.ProcessEnv): ChildProcess {
  const child = startOnepeace([...args, '--model', bundle], { cwd: dir, env })
  child.stderr!.resume()
  started.add(child)
  return child
}

async function kill(child: ChildProcess): Promise<void> {
  started.delete(child)
  await end(child, 'SIGKILL')
}

const LINES = 1000
const lines = Array.from({ length: LINES }, (_, n) => JSON.stringify({ input: `line ${n} of the import` })).join('\n')

async function send(url: string, path: string, body: string, type: string): Promise<Job> {
  const response = await fetch(url + path, { method: 'POST', headers: { 'content-type': type }, body })
  expect(response.status).toBeLessThan(300)
  return (await response.json()) as Job
}

async function jobAt(url: string, id: string): Promise<Job> {
  return (await (await fetch(`${url}/v1/jobs/${id}`)).json()) as Job
}

/** Texts of all items, by what stands at their `media_url`. */
async function keptTexts(url: string): Promise<string[]> {
  const { items } = (await (await fetch(`${url}/v1/collections/c/items?limit=1000`)).json()) as Schemas['ItemList']
  const texts: string[] = []
  for (const { media_url: media } of items) texts.push(await (await fetch(url + media)).text())
  return texts
}

async function assertEachOnce(url: string, { id }: Job): Promise<void> {
  await expect.poll(async () => (await jobAt(url, id)).state, { timeout: 120_000, interval: 200 }).toBe('completed')
  expect((await jobAt(url, id)).counts).toEqual({ total: LINES, done: LINES, succeeded: LINES, failed: 0 })
  // Ids sort by line, so that the items stand in the order of the lines.
  expect(await keptTexts(url)).toEqual(Array.from({ length: LINES }, (_, n) => `line ${n} of the import`))
}

it('loses no line and keeps none twice where the one process is killed that does everything', async () => {
  const start = () => run(['serve', '--port', '0', '--data', join(dir, 'one')], {})
  let child = start()
  let url = await addressOf(child)
  await send(url, '/v1/collections', '{"name":"c"}', 'application/json')
  const job = await send(url, '/v1/collections/c/imports', lines, 'application/x-ndjson')
  let midway = 0
  for (let deaths = 0; deaths < 5; deaths++) {
    await pause(150 + 100 * deaths)
    await kill(child)
    child = start()
    url = await addressOf(child)
    if ((await jobAt(url, job.id)).state === 'running') midway++
  }
  expect(midway).toBeGreaterThan(0)
  await assertEachOnce(url, job)
  await kill(child)
}, 180_000)

describe.runIf(HAS_REDIS)('a fleet', () => {
  let redis: RedisServer
  let qdrant: QdrantStub
  let api: ChildProcess
  let url: string
  let env: NodeJS.ProcessEnv
  beforeAll(async () => {
    redis = await startRedis()
    qdrant = await startQdrantStub()
    env = { QUEUE_URL: redis.url, QDRANT_URL: qdrant.url, MEDIA_URL: `file://${join(dir, 'media')}` }
    api = run(['serve', '--port', '0'], env)
    url = await addressOf(api)
    await send(url, '/v1/collections', '{"name":"c"}', 'application/json')
  })
  afterAll(async () => {
    await Promise.all([...started].map(kill))
    await redis?.stop()
    await qdrant?.close()
  })

  it('loses no line and keeps none twice where workers are killed, and Redis is, with all that it held', async () => {
    const job = await send(url, '/v1/collections/c/imports', lines, 'application/x-ndjson')
    expect((await jobAt(url, job.id)).state).toBe('queued') // the API does no jobs itself
    let midway = 0
    for (let deaths = 0; deaths < 5; deaths++) {
      const worker = run(['worker'], env)
      await once(worker.stdout!, 'data')
      await pause(200 + 150 * deaths)
      if (deaths === 2) {
        await redis.kill()
        await redis.start()
      }
      await kill(worker)
      if ((await jobAt(url, job.id)).state === 'running') midway++
    }
    expect(midway).toBeGreaterThan(0)
    const workers = [run(['worker'], env), run(['worker'], env)]
    await assertEachOnce(url, job)
    await Promise.all(workers.map(kill))
  }, 240_000)

  it('stops a worker that is told to, and leaves its work to the next', async () => {
    const body = Array.from({ length: LINES }, (_, n) => JSON.stringify({ id: `again-${n}`, input: `more ${n}` }))
    const job = await send(url, '/v1/collections/c/imports', body.join('\n'), 'application/x-ndjson')
    const worker = run(['worker'], env)
    await expect.poll(async () => (await jobAt(url, job.id)).state, { timeout: 60_000 }).toBe('running')
    const ended = once(worker, 'exit')
    worker.kill('SIGTERM')
    expect(await ended).toEqual([0, null])
    started.delete(worker)
    const next = run(['worker'], env)
    await expect.poll(async () => (await jobAt(url, job.id)).state, { timeout: 60_000 }).toBe('completed')
    expect((await jobAt(url, job.id)).counts).toMatchObject({ succeeded: LINES, failed: 0 })
    await kill(next)
  }, 150_000)
})

it('says what a worker lacks that shares nothing with a service', async () => {
  const child = startOnepeace(['worker', '--model', bundle], { cwd: dir })
  let said = ''
  child.stderr!.on('data', (chunk) => {
    said += chunk
  })
  const [code] = await once(child, 'close')
  expect(code).toBe(1)
  expect(said).toContain('set QUEUE_URL, MEDIA_URL and QDRANT_URL')
})
