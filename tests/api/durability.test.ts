/**
 * Several clients write over HTTP while the service is killed, again and again over the same data. Each sends what it got no
 * answer to again, to the next process. In the end the data are what the answers said: nothing acknowledged is lost, nothing
 * is there twice, nothing is half. Twice by default; `KILLS=50 npx vitest run tests/api/durability.test.ts` for more.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { call } from './conforms.ts'
import { startHarness } from './harness.ts'

const SERVICE = fileURLToPath(new URL('durability-service.mjs', import.meta.url))
const KILLS = Number(process.env.KILLS ?? 2)
const CLIENTS = 4
/** Answers, over all clients, after which the next kill comes. */
const ANSWERS_PER_KILL = 40
const COLLECTION = '/v1/collections/kept'

let dir: string
let child: ChildProcess | undefined
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'onepeace-kill-'))
})
afterAll(async () => {
  child?.kill('SIGKILL') // a test that ran out of time leaves it running
  await rm(dir, { recursive: true, force: true })
})

/** Where the service is now; undefined while there is none. */
let address: string | undefined
let answers = 0

async function startService(): Promise<void> {
  child = spawn(process.execPath, [SERVICE, dir], { stdio: ['ignore', 'pipe', 'inherit'] })
  const died = once(child, 'exit').then(() => Promise.reject(new Error('The service did not start.')))
  died.catch(() => undefined)
  const [port] = await Promise.race([once(createInterface({ input: child.stdout! }), 'line'), died])
  address = `http://127.0.0.1:${port}`
}

async function killService(): Promise<void> {
  const gone = once(child!, 'exit')
  child!.kill('SIGKILL')
  address = undefined
  await gone
}

/** Sends a request until it is answered, by whatever process. */
async function persistently(method: string, path: string, json?: object, key?: string): Promise<[number, unknown]> {
  const headers = { ...(json && { 'content-type': 'application/json' }), ...(key && { 'idempotency-key': key }) }
  for (;;) {
    try {
      const response = await fetch(`${address}${path}`, {
        method,
        headers,
        ...(json && { body: JSON.stringify(json) }),
      })
      const text = await response.text()
      answers++
      return [response.status, text === '' ? undefined : JSON.parse(text)]
    } catch {
      await setTimeout(5) // it was killed, or is not there yet
    }
  }
}

/** What a client knows to be there: text by id. */
type Known = Map<string, string>

async function writeUntil(stopped: () => boolean, client: number): Promise<Known> {
  const known: Known = new Map()
  for (let n = 0; !stopped(); n++) {
    const text = `text ${n} of ${client}`
    const item = { input: text, metadata: { client, n }, ...(n % 2 === 0 && { id: `item-${client}-${n}` }) }
    const [status, body] = await persistently(
      'POST',
      `${COLLECTION}/items`,
      item,
      `key ${client} ${n}`.replaceAll(' ', '-'),
    )
    expect(status).toBe(201)
    const { id } = body as { id: string }
    known.set(id, text)
    if (n % 3 === 0) {
      const input = `version ${n} of ${client}`
      const [put] = await persistently('PUT', `${COLLECTION}/items/replaced-${client}`, { input })
      expect([200, 201]).toContain(put)
      known.set(`replaced-${client}`, input)
    }
    if (n % 4 === 0) {
      const [deleted] = await persistently('DELETE', `${COLLECTION}/items/${id}`)
      expect([204, 404]).toContain(deleted) // 404 where the process died between the deed and the answer
      known.delete(id)
    }
  }
  return known
}

it(
  'keeps what it answered, once and whole, through kill -9 under several clients',
  async () => {
    let isOver = false
    await startService()
    expect((await persistently('POST', '/v1/collections', { name: 'kept' }, 'collection'))[0]).toBe(201)
    const clients = Array.from({ length: CLIENTS }, (_, client) => writeUntil(() => isOver, client))
    for (let kill = 0; kill < KILLS; kill++) {
      const goal = answers + ANSWERS_PER_KILL
      while (answers < goal) await setTimeout(5)
      await setTimeout(Math.random() * 25)
      await killService()
      await startService()
    }
    expect((await persistently('POST', '/v1/collections', { name: 'kept' }, 'collection'))[0]).toBe(201)
    isOver = true
    const known = new Map((await Promise.all(clients)).flatMap((each) => [...each]))
    await killService()

    const h = await startHarness({ dir })
    const there: Known = new Map()
    for (let cursor = ''; ; ) {
      const { items, next_cursor } = (await call(h.app, { url: `${COLLECTION}/items?limit=1000${cursor}` })).json()
      for (const { id, media_url } of items) {
        const original = await call(h.app, { url: media_url })
        expect(original.statusCode).toBe(200)
        there.set(id, original.body)
      }
      if (next_cursor === undefined) break
      cursor = `&cursor=${next_cursor}`
    }
    expect(there).toEqual(known)
    const blobs = (await readdir(join(dir, 'blobs'), { recursive: true })).filter((name) => /[0-9a-f]{64}$/.test(name))
    expect(blobs).toHaveLength(new Set(known.values()).size)
    await h.close()
  },
  60_000 + KILLS * 30_000,
)
