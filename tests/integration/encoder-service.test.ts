/** `onepeace serve` with two `onepeace encoder` processes: what clients see when one of them is killed, hangs or leaves. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { convertCheckpoint } from '../../src/converter/convert.ts'
import { png } from '../api/pictures.ts'
import { PROGRAM } from '../command-line.ts'
import { tinyTensors, writeSafetensors, writeTinyBpe } from '../tiny-checkpoint.ts'

const SECRET = 'a-secret-of-the-tests'
let dir: string
let model: string
const started: ChildProcess[] = []

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'onepeace-fleet-'))
  model = await bundleOf('one', 1)
})
afterAll(async () => {
  for (const child of started) child.kill('SIGKILL')
  await rm(dir, { recursive: true, force: true })
})

async function bundleOf(name: string, seed: number): Promise<string> {
  const [bpeDir, checkpointPath, outDir] = [join(dir, 'bpe'), join(dir, `${name}.safetensors`), join(dir, name)]
  await writeTinyBpe(bpeDir)
  await writeSafetensors(checkpointPath, tinyTensors(undefined, seed))
  await convertCheckpoint({ checkpointPath, bpeDir, outDir, precision: 'fp32' } as never)
  return outDir
}

function run(args: string[], env: Record<string, string>): ChildProcess {
  const child = spawn(process.execPath, [PROGRAM, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ONEPEACE_RATE_LIMIT: '0', ...env },
  })
  started.push(child)
  return child
}

interface Process {
  child: ChildProcess
  url: string
}

/** The process, once it says where it listens. */
async function start(args: string[], env: Record<string, string>): Promise<Process> {
  const child = run(args, env)
  let said = ''
  for await (const chunk of child.stdout!) {
    said += chunk
    const url = /http:\/\/[\d.:]+/.exec(said)?.[0]
    if (url) return { child, url }
  }
  throw new Error(`It did not start: ${said}${await text(child.stderr!)}`)
}

const encoder = (port = '0', bundle = model) =>
  start(['encoder', '--port', port, '--model', bundle], { ENCODER_SECRET: SECRET })

const api = (name: string, encoders: Process[]) =>
  start(['serve', '--port', '0', '--model', model, '--data', join(dir, name)], {
    ENCODER_SECRET: SECRET,
    ENCODER_URL: encoders.map(({ url }) => url).join(','),
    ONEPEACE_LOG_LEVEL: 'silent',
  })

const isReady = async ({ url }: Process) => (await fetch(`${url}/readyz`)).status

function post(url: string, body: object, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })
}

const picture = { type: 'image_url', image_url: { url: `data:image/png;base64,${png(40, 30).toString('base64')}` } }

/** Requests of texts and pictures, ten at a time, until told to stop; what each came to. */
function load({ url }: Process): { stop(): Promise<Map<number, number>> } {
  const statuses = new Map<number, number>()
  let stopped = false
  const one = async (worker: number) => {
    for (let i = 0; !stopped; i++) {
      const input = i % 3 === 0 ? { content: [picture] } : `a text, number ${worker} ${i}`
      const { status, body } = await post(`${url}/v1/embeddings`, { input }, { 'x-timeout-ms': '20000' })
      await body!.cancel()
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
    }
  }
  const workers = Array.from({ length: 10 }, (_, i) => one(i))
  return {
    stop: async () => {
      stopped = true
      await Promise.all(workers)
      return statuses
    },
  }
}

it('loses no request that had time left when encoders are killed, hang, or leave under load, one at a time', async () => {
  const encoders = [await encoder(), await encoder()]
  const service = await api('chaos', encoders)
  await expect.poll(() => isReady(service), { timeout: 30_000 }).toBe(200)
  const { stop } = load(service)
  for (const signal of ['SIGKILL', 'SIGSTOP', 'SIGTERM', 'SIGKILL'] as const) {
    await sleep(700)
    const victim = encoders.shift()!
    victim.child.kill(signal)
    await sleep(signal === 'SIGSTOP' ? 4000 : 700)
    victim.child.kill('SIGKILL')
    if (victim.child.exitCode === null && victim.child.signalCode === null) await once(victim.child, 'exit')
    encoders.push(await encoder(new URL(victim.url).port))
    await expect.poll(() => isReady(encoders[1]!), { timeout: 30_000 }).toBe(200)
    await sleep(1500) // until it has been asked for its health
  }
  const statuses = await stop()
  expect([...statuses.keys()]).toEqual([200])
  expect(statuses.get(200)).toBeGreaterThan(100)

  for (const { child } of encoders) child.kill('SIGKILL')
  const refused = await post(`${service.url}/v1/embeddings`, { input: 'nobody is there' })
  expect([refused.status, refused.headers.has('retry-after')]).toEqual([503, true])
  expect(await refused.json()).toMatchObject({ code: 'encoder-unavailable' })
  expect(await isReady(service)).toBe(503)

  const ended = once(service.child, 'exit')
  service.child.kill('SIGTERM')
  expect(await ended).toEqual([0, null])
}, 180_000)

it('is not ready while its encoder has another model, and says which each has', async () => {
  const other = await encoder('0', await bundleOf('another', 2))
  const service = await api('mismatch', [other])
  await expect.poll(() => isReady(other), { timeout: 30_000 }).toBe(200)
  const { detail } = (await (await fetch(`${service.url}/readyz`)).json()) as { detail: string }
  expect(detail).toMatch(/It runs the model .* and this service has .*; give both the same bundle/)
  expect((await post(`${service.url}/v1/embeddings`, { input: 'a' })).status).toBe(503)
})

it('says plainly what is missing', async () => {
  const refusal = async (args: string[], env: Record<string, string>) => {
    const child = run(args, { ENCODER_SECRET: '', ENCODER_URL: '', ...env })
    const [said, [code]] = await Promise.all([text(child.stderr!), once(child, 'exit')])
    expect(code).toBe(1)
    return said
  }
  expect(await refusal(['encoder'], {})).toContain('Set ENCODER_SECRET')
  expect(await refusal(['encoder'], { ENCODER_SECRET: 'short' })).toContain('16 or more')
  const serve = ['serve', '--data', join(dir, 'unused')]
  expect(await refusal(serve, { ENCODER_URL: 'http://127.0.0.1:1' })).toContain('ENCODER_URL needs ENCODER_SECRET')
  expect(await refusal(serve, { ENCODER_URL: 'http://u:geheim@h', ENCODER_SECRET: SECRET })).not.toContain('geheim')
})
