import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { JobRecords, type JobRequest } from '../../../src/jobs/job-records.ts'
import { nextParts, WINDOW } from '../../../src/jobs/parts.ts'
import { FolderObjects } from '../../../src/objects/folder-objects.ts'
import { JobKeeper } from '../../../src/services/job-keeper.ts'

const MINUTE_MS = 60_000
const DAY_MS = 24 * 60 * MINUTE_MS

let dir: string
let records: JobRecords
let sent: string[]
let keeper: JobKeeper
let now = 0
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'onepeace-keeper-'))
  records = new JobRecords(new FolderObjects(dir))
  sent = []
  const queue = { send: async (messages: readonly string[]) => void sent.push(...messages) }
  keeper = new JobKeeper({ records, queue, keepMs: 7 * DAY_MS, onError: (error) => expect.unreachable(String(error)) })
  vi.spyOn(performance, 'now').mockImplementation(() => now)
})
afterEach(async () => {
  vi.restoreAllMocks()
  await rm(dir, { recursive: true, force: true })
})

/** As `timeOrderedId` makes it. */
function idAt(time: number, n = 1): string {
  const hex = time.toString(16).padStart(12, '0')
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-${String(n).padStart(12, '0')}`
}

async function newJob({ parts = 3, kind = 'import' as const, at = Date.now() } = {}): Promise<JobRequest> {
  const id = idAt(at)
  const createdAt = new Date(at).toISOString()
  const job: JobRequest = { id, tenant: 'acme', kind, collection: 'c', createdAt, source: id, parts, lines: parts }
  for (let part = 0; part < parts; part++)
    await records.putPart(job.source, part, { firstLine: part, lines: [Buffer.from('{}')] })
  await records.create(job)
  return job
}

const done = (job: JobRequest, part: number, failed: never[] = []) =>
  records.finishPart(job, part, { succeeded: 1, failed })
const partsSent = () => sent.splice(0).map((message) => Number(message.split('/')[2]))

it('sends what a queue has lost: at once for a job not seen before, later where one stands still, ever more rarely', async () => {
  const job = await newJob()
  await done(job, 1)
  await keeper.look()
  expect(partsSent()).toEqual([0, 2])
  now += MINUTE_MS / 2
  await keeper.look()
  expect(partsSent()).toEqual([])
  now += MINUTE_MS / 2
  await keeper.look()
  expect(partsSent()).toEqual([0, 2])
  now += MINUTE_MS
  await keeper.look()
  expect(partsSent()).toEqual([])
  now += MINUTE_MS
  await done(job, 0)
  await keeper.look() // it moves
  expect(partsSent()).toEqual([])
  now += MINUTE_MS
  await keeper.look()
  expect(partsSent()).toEqual([2])
})

it('has no more than a window of a job in the queue, each part followed by one that is a window later', () => {
  expect(nextParts(3, new Set())).toEqual([0, 1, 2])
  expect(nextParts(1000, new Set())).toEqual(Array.from({ length: WINDOW }, (_, i) => i))
  expect(nextParts(1000, new Set([0, WINDOW, 2])).slice(0, 3)).toEqual([2 * WINDOW, 1, 2 + WINDOW])
  expect(nextParts(WINDOW + 1, new Set([0, WINDOW])).includes(WINDOW)).toBe(false)
  expect(nextParts(2, new Set([0, 1]))).toEqual([])
})

it('ends a job whose last worker died before it could', async () => {
  const job = await newJob({ parts: 2 })
  await done(job, 0)
  await done(job, 1)
  await keeper.look()
  expect(await records.getEnd(job)).toMatchObject({ state: 'completed', succeeded: 2, failed: 0 })
  expect([await records.open(), [...(await records.sources())], sent]).toEqual([[], [], []])
})

it('counts a part that was done twice once', async () => {
  const job = await newJob({ parts: 1 })
  await done(job, 0)
  await records.finishPart(job, 0, { succeeded: 0, failed: [{ line: 0, failure: { code: 'internal', detail: '' } }] })
  await keeper.look()
  expect(await records.getEnd(job)).toMatchObject({ succeeded: 0, failed: 1 })
})

it('forgets jobs that ended long ago, lines that no job was made of, and nothing else', async () => {
  const old = await newJob({ at: Date.now() - 30 * DAY_MS })
  await records.end(old, {
    state: 'completed',
    at: new Date(Date.now() - 8 * DAY_MS).toISOString(),
    succeeded: 1,
    failed: 0,
  })
  const slow = await newJob({ at: Date.now() - 10 * DAY_MS })
  const fresh = await newJob()
  await records.end(fresh, { state: 'completed', at: new Date().toISOString(), succeeded: 1, failed: 0 })
  const [stray, coming] = [idAt(Date.now() - 2 * DAY_MS, 7), idAt(Date.now(), 8)]
  for (const source of [stray, coming]) await records.putPart(source, 0, { firstLine: 0, lines: [Buffer.from('{}')] })
  await keeper.sweep()
  expect((await records.ids('acme')).sort()).toEqual([slow.id, fresh.id].sort())
  expect([...(await records.sources())].sort()).toEqual([slow.source, coming].sort())
  expect(await records.open()).toEqual([{ tenant: 'acme', id: slow.id }])
})
