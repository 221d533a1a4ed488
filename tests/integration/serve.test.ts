/** `onepeace serve` as a process, with a tiny random bundle: from the start to SIGTERM, and its plain refusals. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { convertCheckpoint } from '../../src/converter/convert.ts'
import { form, wav } from '../api/harness.ts'
import { png } from '../api/pictures.ts'
import { PROGRAM } from '../command-line.ts'
import { addressOf } from '../processes.ts'
import { tinyTensors, writeSafetensors, writeTinyBpe } from '../tiny-checkpoint.ts'

let dir: string
let model: string
const started: ChildProcess[] = []

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'onepeace-serve-'))
  model = join(dir, 'bundle')
  await writeTinyBpe(join(dir, 'bpe'))
  await writeSafetensors(join(dir, 'tiny.safetensors'), tinyTensors())
  const checkpointPath = join(dir, 'tiny.safetensors')
  await convertCheckpoint({ checkpointPath, bpeDir: join(dir, 'bpe'), outDir: model, precision: 'fp32' } as never)
})
afterAll(async () => {
  for (const child of started) child.kill('SIGKILL')
  await rm(dir, { recursive: true, force: true })
})

function run(...args: string[]) {
  const child = spawn(process.execPath, [PROGRAM, 'serve', '--port', '0', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  started.push(child)
  return child
}

/** The service, once it says where it listens. From then on nobody reads its output: the pipe is closed. */
async function start(dataDir: string, ...more: string[]): Promise<{ child: ChildProcess; url: string }> {
  const child = run('--model', model, '--data', dataDir, ...more)
  return { child, url: await addressOf(child) }
}

/** What it says when it refuses to start. */
async function refusal(...args: string[]): Promise<string> {
  const child = run(...args)
  const [said, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')])
  expect(code).toBe(1)
  expect(said).not.toMatch(/\n\s+at /)
  return said
}

it('serves through the real encoder, keeps its data over a restart, and ends when told', async () => {
  const data = join(dir, 'data')
  const first = await start(data)
  const complaints = text(first.child.stderr!)
  const json = { 'content-type': 'application/json' }
  const post = (url: string, body: object) => fetch(url, { method: 'POST', headers: json, body: JSON.stringify(body) })
  await expect.poll(async () => (await fetch(`${first.url}/readyz`)).status, { timeout: 30_000 }).toBe(200)
  expect((await post(`${first.url}/v1/collections`, { name: 'mine' })).status).toBe(201)
  for (const file of [png(30, 20), wav(1), wav(20)]) {
    const { payload, headers } = await form([['file', file]])
    const made = await fetch(`${first.url}/v1/collections/mine/items`, { method: 'POST', headers, body: payload })
    expect(made.status).toBe(201)
  }
  await post(`${first.url}/v1/collections/mine/items`, { id: 'words', input: 'a dog' })
  const many = await post(`${first.url}/v1/embeddings`, { input: Array.from({ length: 100 }, (_, i) => `text ${i}`) })
  expect(many.status).toBe(200)
  expect(await refusal('--model', model, '--data', data)).toContain('is in use by process')

  const ended = once(first.child, 'exit')
  first.child.kill('SIGTERM')
  expect(await ended).toEqual([0, null])
  expect(await complaints).toBe('')

  const second = await start(data)
  const found = await post(`${second.url}/v1/collections/mine/search`, { query: 'a dog' })
  const { hits } = (await found.json()) as { hits: { id: string; score: number }[] }
  expect(hits).toHaveLength(4)
  expect(hits[0]).toMatchObject({ id: 'words', score: expect.closeTo(1, 4) })
  const killed = once(second.child, 'exit')
  second.child.kill('SIGKILL')
  await killed

  const third = await start(data)
  expect(((await (await fetch(`${third.url}/v1/collections/mine`)).json()) as { items: number }).items).toBe(4)
  third.child.kill('SIGINT')
  expect(await once(third.child, 'exit')).toEqual([0, null])
})

it('ends quietly when told to while it fills the samples, and goes on with them the next time', async () => {
  const data = join(dir, 'samples')
  const first = await start(data, '--samples')
  const complaints = text(first.child.stderr!)
  first.child.kill('SIGINT')
  expect(await once(first.child, 'exit')).toEqual([0, null])
  expect(await complaints).toBe('')
  const second = await start(data, '--samples')
  const samples = async () => (await (await fetch(`${second.url}/v1/collections/samples`)).json()) as { items?: number }
  await expect.poll(async () => (await samples()).items, { timeout: 50_000 }).toBe(214)
  await setTimeout(1500) // it prints its example searches now, to a closed pipe: that must not end it
  expect((await fetch(`${second.url}/livez`)).status).toBe(200)
  second.child.kill('SIGTERM')
  expect(await once(second.child, 'exit')).toEqual([0, null])
})

it('ends at once although a client holds a connection on which it never asked anything', async () => {
  const { child, url } = await start(join(dir, 'unused-connection'))
  const ahead = connect(Number(new URL(url).port), '127.0.0.1').on('error', () => {})
  await once(ahead, 'connect')
  await fetch(`${url}/livez`) // a round trip: by now the service knows of the other connection
  child.kill('SIGTERM')
  expect(await once(child, 'exit')).toEqual([0, null]) // 1 after the 20 s that requests in flight may take
})

it('listens beyond loopback once there is a key, which the command makes and revokes while it runs', async () => {
  const data = join(dir, 'with-keys')
  const keys = (...args: string[]) =>
    execFileSync(process.execPath, [PROGRAM, 'keys', ...args, '--data', data], {
      encoding: 'utf8',
      stdio: 'pipe',
    }).trim()
  const key = keys('create', '--tenant', 'acme', '--scopes', 'read')
  const { child, url } = await start(data, '--host', '0.0.0.0')
  const status = async (headers?: Record<string, string>) => {
    const response = await fetch(`${url.replace('0.0.0.0', '127.0.0.1')}/v1/models`, { headers: headers ?? {} })
    return response.status
  }
  expect(await status()).toBe(401)
  expect(await status({ authorization: `Bearer ${key}` })).toBe(200)
  keys('revoke', keys('list').split('\t')[0]!)
  await setTimeout(1000)
  expect(await status({ authorization: `Bearer ${key}` })).toBe(401)
  child.kill('SIGTERM')
  await once(child, 'exit')
})

it('says plainly why it does not start', async () => {
  const data = join(dir, 'unused')
  expect(await refusal('--data', data, '--model', join(dir, 'none'))).toContain('There is no bundle in')
  expect(await refusal('--data', data, '--model', model, '--host', '0.0.0.0')).toMatch(
    /onepeace keys create.*--no-auth/,
  )
  expect(await refusal('--data', data, '--model', model, '--port', 'http')).toContain('The port must be')
  const foreign = join(dir, 'foreign')
  await mkdir(foreign)
  await writeFile(join(foreign, 'letter.txt'), '')
  expect(await refusal('--data', foreign, '--model', model)).toContain('holds other files')
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  const { port } = other.address() as { port: number }
  expect(await refusal('--data', data, '--model', model, '--port', String(port))).toContain(
    'is taken by another program',
  )
  other.close()
})
