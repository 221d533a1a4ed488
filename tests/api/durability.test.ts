/**
 * A process is killed in the middle of writing, again and again over the same data: nothing acknowledged is lost, nothing is
 * half. Twice by default; `KILLS=50 npx vitest run tests/api/durability.test.ts` for more.
 */
import { type ChildProcess, type ChildProcessByStdio, spawn } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { call } from './conforms.ts'
import { startHarness } from './harness.ts'

const WRITER = fileURLToPath(new URL('writer-process.mjs', import.meta.url))
const KILLS = Number(process.env.KILLS ?? 2)
const ITEMS = '/v1/collections/kept/items'

let dir: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'onepeace-kill-'))
})
let writer: ChildProcess | undefined
afterAll(async () => {
  writer?.kill('SIGKILL') // a test that ran out of time leaves it writing
  await rm(dir, { recursive: true, force: true })
})

/** Ids acknowledged before the kill, which comes some way into the work after the last of `count`. */
async function writeAndKill(first: number, count: number): Promise<string[]> {
  const child: ChildProcessByStdio<null, Readable, null> = spawn(process.execPath, [WRITER, dir, String(first)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  writer = child
  const acknowledged: string[] = []
  for await (const id of createInterface({ input: child.stdout })) {
    acknowledged.push(id)
    if (acknowledged.length === count) setTimeout(() => child.kill('SIGKILL'), Math.random() * 25)
  }
  return acknowledged
}

it(
  'keeps every acknowledged item through kill -9, whole',
  async () => {
    const perKill = KILLS > 10 ? 8 : 40
    const acknowledged: string[] = []
    for (let kill = 0; kill < KILLS; kill++) acknowledged.push(...(await writeAndKill(kill * 1000, perKill)))
    expect(acknowledged.length).toBeGreaterThanOrEqual(KILLS * perKill)
    const h = await startHarness({ dir })
    const get = (url: string) => call(h.app, { method: 'GET', url })
    const { items } = (await get(`${ITEMS}?limit=1000`)).json()
    const listed = items.map((item: { id: string }) => item.id)
    expect(listed).toEqual(expect.arrayContaining(acknowledged))
    for (const { id, media_url } of items) {
      const original = await get(media_url)
      expect(original.statusCode).toBe(200)
      if (id !== 'replaced') expect(original.body).toBe(`text ${id.slice('item-'.length)}`)
    }
    const replaced = (await get(`${ITEMS}/replaced`)).json()
    expect((await get(replaced.media_url)).body).toBe(`version ${replaced.metadata.n}`)
    const blobs = (await readdir(join(dir, 'blobs'), { recursive: true })).filter((name) => /[0-9a-f]{64}$/.test(name))
    expect(blobs).toHaveLength(items.length)
    await h.close()
  },
  KILLS * 30_000,
)
