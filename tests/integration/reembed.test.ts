/** `onepeace reembed` as a process, between two tiny random bundles: killed half way, gone on with, and nothing lost. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { convertCheckpoint } from '../../src/converter/convert.ts'
import { form, wav } from '../api/harness.ts'
import { png } from '../api/pictures.ts'
import { PROGRAM } from '../command-line.ts'
import { type QdrantStub, startQdrantStub } from '../qdrant-stub/server.ts'
import { tinyTensors, writeSafetensors, writeTinyBpe } from '../tiny-checkpoint.ts'

const TEXTS = 100
let dir: string
let stub: QdrantStub
const started: ChildProcess[] = []

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'onepeace-reembed-'))
  stub = await startQdrantStub()
  await writeTinyBpe(join(dir, 'bpe'))
  for (const [name, seed] of [
    ['old', 1],
    ['new', 2],
  ] as const) {
    const checkpointPath = join(dir, `${name}.safetensors`)
    await writeSafetensors(checkpointPath, tinyTensors(undefined, seed))
    await convertCheckpoint({
      checkpointPath,
      bpeDir: join(dir, 'bpe'),
      outDir: bundle(name),
      precision: 'fp32',
      name,
    } as never)
  }
})
afterAll(async () => {
  for (const child of started) child.kill('SIGKILL')
  await stub.close()
  await rm(dir, { recursive: true, force: true })
})

const bundle = (name: string) => join(dir, `bundle-${name}`)

function run(args: string[], env: Record<string, string>): ChildProcess {
  const child = spawn(process.execPath, [PROGRAM, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  })
  started.push(child)
  return child
}

/** Its exit status and what it said on standard error. */
async function ended(child: ChildProcess): Promise<[number | null, string]> {
  const [said, [code]] = await Promise.all([text(child.stderr!), once(child, 'exit')])
  return [code as number | null, said]
}

interface Service {
  child: ChildProcess
  complaints: Promise<string>
  request(path: string, init?: RequestInit): Promise<Response>
  search(body: object): Promise<Response>
  stop(): Promise<void>
}

async function serve(data: string, model: string, env: Record<string, string>): Promise<Service> {
  const child = run(['serve', '--port', '0', '--data', data, '--model', bundle(model)], env)
  const complaints = text(child.stderr!)
  let said = ''
  for await (const chunk of child.stdout!) {
    said += chunk
    const url = /http:\/\/[\d.:]+/.exec(said)?.[0]
    if (url === undefined) continue
    const request = (path: string, init?: RequestInit) => fetch(url + path, init)
    const json = { 'content-type': 'application/json' }
    await expect.poll(async () => (await request('/readyz')).status, { timeout: 30_000 }).toBe(200)
    return {
      child,
      complaints,
      request,
      search: (body) =>
        request('/v1/collections/c/search', { method: 'POST', headers: json, body: JSON.stringify(body) }),
      stop: async () => {
        child.kill('SIGTERM')
        await once(child, 'exit')
      },
    }
  }
  throw new Error(`It did not start: ${await complaints}`)
}

async function post(service: Service, path: string, body: object): Promise<void> {
  const headers = { 'content-type': 'application/json' }
  const answer = await service.request(path, { method: 'POST', headers, body: JSON.stringify(body) })
  expect(answer.status, await answer.clone().text()).toBe(201)
}

/** A collection of texts, a picture and a sound of two windows. */
async function fill(service: Service): Promise<void> {
  await post(service, '/v1/collections', { name: 'c' })
  const lines = Array.from({ length: TEXTS }, (_, n) => JSON.stringify(itemOf(`t${n}`)))
  const headers = { 'content-type': 'application/x-ndjson' }
  const batch = await service.request('/v1/collections/c/items/batch', {
    method: 'POST',
    headers,
    body: lines.join('\n'),
  })
  expect((await batch.text()).trim().split('\n')).toHaveLength(TEXTS)
  for (const [id, file] of [
    ['picture', png(30, 20)],
    ['sound', wav(20)],
  ] as const) {
    const { payload, headers } = await form([
      ['file', file],
      ['id', id],
    ])
    const made = await service.request('/v1/collections/c/items', { method: 'POST', headers, body: payload })
    expect(made.status).toBe(201)
  }
}

/** Each has a perfect score for its own words: its vector is this model's. */
async function expectAllFound(service: Service, ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    const filter = { must: [{ key: 'id', match: { value: id } }] }
    const found = (await (await service.search({ query: wordsOf(id), filter })).json()) as { hits: object[] }
    expect(found.hits).toEqual([expect.objectContaining({ id, score: expect.closeTo(1, 5) })])
  }
  const answer = await service.search({ query: { item_id: 'sound' }, limit: 1000 })
  const { hits } = (await answer.json()) as { hits: object[] }
  expect(hits.length).toBeGreaterThan(TEXTS)
}

const wordsOf = (id: string) => `the words ${id.slice(1)}`
const itemOf = (id: string) => ({ id, input: wordsOf(id), metadata: { id } })
const SOME = ['t0', 't7', `t${TEXTS - 1}`]

it('on Qdrant: searched all the while, killed, gone on with, and then found by the new model, late items too', async () => {
  const data = join(dir, 'data-qdrant')
  const env = { QDRANT_URL: stub.url }
  const old = await serve(data, 'old', env)
  await fill(old)

  let failures = 0
  let searching = true
  const searches = (async () => {
    while (searching) {
      const answer = await old.search({ query: wordsOf('t5'), limit: 1 })
      const { hits } = (await answer.json()) as { hits?: { score: number }[] }
      if (answer.status !== 200 || !(hits![0]!.score > 0.9999)) failures++
      await setTimeout(50)
    }
  })()
  const reembed = () => run(['reembed', '--to', bundle('new'), '--data', data], env)
  const first = reembed()
  const died = once(first, 'exit')
  await expect.poll(() => stub.updatedVectors, { timeout: 40_000, interval: 1 }).toBeGreaterThan(20)
  first.kill('SIGKILL')
  await died
  const filled = stub.updatedVectors
  expect(filled).toBeLessThan(TEXTS)
  await post(old, '/v1/collections/c/items', itemOf('t1000'))

  const [code, said] = await ended(reembed())
  expect(said).toContain(`c: all ${TEXTS + 3} items have vectors of new`)
  expect(said).toContain('--drop-others')
  expect(code).toBe(0)
  // The second went on where the first was, but for the few that were on their way.
  expect(stub.updatedVectors).toBeLessThan(TEXTS + 50)
  await post(old, '/v1/collections/c/items', itemOf('t1001'))
  searching = false
  await searches
  expect(failures).toBe(0)
  await old.stop()

  const young = await serve(data, 'new', env)
  await expect
    .poll(async () => (await young.search({ query: { item_id: 't1001' } })).status, { timeout: 20_000 })
    .toBe(200)
  await expectAllFound(young, [...SOME, 't1000', 't1001'])
  const [, dropped] = await ended(run(['reembed', '--to', bundle('new'), '--data', data, '--drop-others'], env))
  expect(dropped).toContain('the vectors of old are deleted')
  await expectAllFound(young, SOME)
  await young.stop()
}, 300_000)

it('on the embedded store: not while a service runs, killed, gone on with, and then found by the new model', async () => {
  const data = join(dir, 'data-embedded')
  const old = await serve(data, 'old', {})
  await fill(old)
  const reembed = () => run(['reembed', '--to', bundle('new'), '--data', data], {})
  const [refused, why] = await ended(reembed())
  expect(refused).toBe(1)
  expect(why).toMatch(/is in use by process \d+.*only while the service stands/)
  await old.stop()

  const first = reembed()
  const died = once(first, 'exit')
  const versions = () => readdir(join(data, 'vectors', '.next', 'c.lance', '_versions')).catch(() => [])
  await expect.poll(async () => (await versions()).length, { timeout: 40_000, interval: 1 }).toBeGreaterThan(1)
  first.kill('SIGKILL')
  await died
  expect(await versions()).not.toEqual([])

  const between = await serve(data, 'old', {})
  await expectAllFound(between, SOME)
  await post(between, '/v1/collections/c/items', itemOf('t1000'))
  await between.request('/v1/collections/c/items/t1', { method: 'DELETE' })
  await between.stop()

  const [code, said] = await ended(reembed())
  expect(said).toContain(`c: all ${TEXTS + 2} items have vectors of new`)
  expect(code).toBe(0)
  const young = await serve(data, 'new', {})
  await expectAllFound(young, [...SOME, 't1000'])
  expect((await young.request('/v1/collections/c/items/t1')).status).toBe(404)
  await young.stop()

  const stranger = await serve(data, 'old', {})
  expect((await stranger.search({ query: 'words' })).status).toBe(409)
  await stranger.stop()
  expect(await stranger.complaints).toMatch(/another model than old: c \(new\).*`onepeace reembed --to .*bundle-old`/)
}, 300_000)
