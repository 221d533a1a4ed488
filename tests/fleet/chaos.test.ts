/**
 * Thirty times a process of the fleet is killed (`SIGKILL`), whichever chance picks, while clients write items and hand in imports. In
 * the end every item that was acknowledged is there, once, with its original, and every import is done, each of its lines kept.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { dataUrl, png } from '../api/pictures.ts'
import { type Answer, call, endFleet, type Fleet, sha256Of, startFleet } from './fleet.ts'

const KILLS = 30
const WRITERS = 4
const LINES = 30
/** Chance that is the same each time (mulberry32), so that a failure can be looked at again. */
let seed = Number(process.env.CHAOS_SEED ?? 7)
function chance(below: number): number {
  seed = (seed + 0x6d2b79f5) | 0
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
  return ((t ^ (t >>> 14)) >>> 0) % below
}

let fleet: Fleet
let stopped = false
beforeAll(async () => {
  fleet = await startFleet()
})
afterAll(() => endFleet(fleet))

/** What a careful client does: sends again, to either service, with the same key, until there is an answer that is final. */
async function send(path: string, json: unknown, key: string): Promise<Answer> {
  for (let n = 0; ; n++) {
    const answer = await call(fleet.urls[n % fleet.urls.length]! + path, {
      method: 'POST',
      json,
      headers: { 'idempotency-key': key, 'x-timeout-ms': '20000' },
    }).catch(() => undefined)
    if (answer && answer.status < 500 && answer.status !== 429) return answer
    await sleep(100)
  }
}

const read = async (path: string, url = fleet.url): Promise<Answer> => {
  for (;;) {
    const answer = await call(url + path).catch(() => undefined)
    if (answer && answer.status < 500) return answer
    await sleep(100)
  }
}

const acknowledged = new Map<string, string>()
const jobs = new Map<string, string>()
const surprises: unknown[] = []

async function writeItems(writer: number): Promise<void> {
  for (let n = 0; !stopped; n++) {
    const name = `item-${writer}-${n}`
    const picture = png(20 + writer, 20 + (n % 200))
    const isPicture = n % 3 === 0
    const input = isPicture ? { type: 'image_url', image_url: { url: dataUrl(picture) } } : `the words of ${name}`
    const { status, json } = await send('/v1/collections/chaos/items', { input, metadata: { name } }, name)
    if (status !== 201) surprises.push([name, status, json])
    else acknowledged.set(json.id, sha256Of(isPicture ? picture : Buffer.from(`the words of ${name}`)))
    await sleep(50)
  }
}

async function handInImports(): Promise<void> {
  for (let n = 0; !stopped; n++) {
    const items = Array.from({ length: LINES }, (_, i) => ({
      id: `line-${n}-${i}`,
      input: `line ${i} of the import ${n}`,
    }))
    const { status, json } = await send('/v1/collections/imports/imports', { items }, `import-${n}`)
    if (status !== 202) surprises.push(['import', status, json])
    else jobs.set(json.id, `import-${n}`)
    await sleep(1500)
  }
}

const hasQueue = () => fleet.processes.has('redis')

it(`loses no acknowledged item and no job to ${KILLS} kills`, async () => {
  for (const name of ['chaos', 'imports']) expect((await send('/v1/collections', { name }, name)).status).toBe(201)
  if (!hasQueue()) console.warn('There is no redis-server here: no imports, and neither Redis nor workers to kill.')
  const clients = [
    ...Array.from({ length: WRITERS }, (_, i) => writeItems(i)),
    ...(hasQueue() ? [handInImports()] : []),
  ]
  const names = [...fleet.processes.keys()]
  const killed = new Map<string, number>()
  for (let n = 0; n < KILLS; n++) {
    await sleep(500 + chance(2000))
    const victim = names[chance(names.length)]!
    killed.set(victim, (killed.get(victim) ?? 0) + 1)
    fleet.processes.get(victim)!.kill()
  }
  stopped = true
  await Promise.all(clients)
  for (const each of fleet.processes.values()) await each.ready()
  expect(surprises).toEqual([])

  // Every acknowledged item, once, and nothing beside them.
  const found = new Map<string, string>()
  for (let cursor = ''; ; ) {
    const { json } = await read(`/v1/collections/chaos/items?limit=1000${cursor}`)
    for (const { id, sha256 } of json.items) found.set(id, sha256)
    if (json.next_cursor === undefined) break
    cursor = `&cursor=${json.next_cursor}`
  }
  expect(found).toEqual(acknowledged)
  for (const [id, sha256] of acknowledged)
    expect(sha256Of((await read(`/v1/collections/chaos/items/${id}/media`)).bytes)).toBe(sha256)

  for (const id of jobs.keys())
    await expect
      .poll(async () => (await read(`/v1/jobs/${id}`)).json, { timeout: 120_000, interval: 500 })
      .toMatchObject({ state: 'completed', counts: { total: LINES, succeeded: LINES, failed: 0 } })
  expect((await read('/v1/collections/imports')).json.items).toBe(jobs.size * LINES)

  console.log(
    `${acknowledged.size} items and ${jobs.size} imports of ${LINES} lines outlived ${KILLS} kills:`,
    Object.fromEntries(killed),
  )
  expect(acknowledged.size).toBeGreaterThan(50)
}, 600_000)
