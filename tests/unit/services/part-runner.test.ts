/** A part of a job whose workers end within it. The end of a worker is a line that never ends, and a runner that is asked no more. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { DomainError } from '../../../src/errors.ts'
import { Gate } from '../../../src/gate.ts'
import { JobRecords, type JobRequest, type Part, type PartOutcome } from '../../../src/jobs/job-records.ts'
import { FolderObjects } from '../../../src/objects/folder-objects.ts'
import type { Item } from '../../../src/services/index-items.ts'
import { PartRunner, type PartRunnerDeps } from '../../../src/services/part-runner.ts'
import type { Attempt } from '../../../src/services/write-once.ts'

let dir: string
let records: JobRecords
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'onepeace-parts-'))
  records = new JobRecords(new FolderObjects(dir))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

const JOB: JobRequest = {
  id: '0198c5f4-7a53-7c1b-b1a6-52a7f2d0c9aa',
  tenant: 'acme',
  kind: 'import',
  collection: 'c',
  createdAt: '2026-01-02T03:04:05.678Z',
  source: 's',
  parts: 2,
  lines: 20,
}
const partOf = (texts: readonly string[], firstLine = 0): Part => ({
  firstLine,
  lines: texts.map((text) => Buffer.from(text)),
})

type Create = (text: string, attempt: Attempt) => Promise<void>

function newRunner(create: Create, deps: Partial<PartRunnerDeps> = {}): PartRunner {
  return new PartRunner({
    records,
    format: {
      read: (line) => ({ draft: { content: [{ kind: 'text', text: Buffer.from(line).toString(), weight: 1 }] } }),
      failureOf: (error) => ({ code: error instanceof DomainError ? error.code : 'internal', detail: String(error) }),
    },
    items: () => ({
      create: async (_collection, _id, { content: [part] }, _signal, attempt) => {
        await create((part as { text: string }).text, attempt!)
        return {} as Item
      },
    }),
    embed: { embed: () => Promise.reject(new Error('not asked')) },
    ready: async () => undefined,
    model: 'm',
    gate: new Gate(4),
    onLine: () => undefined,
    onError: () => undefined,
    ...deps,
  })
}

/** A worker that takes the parts and ends with the first line that is poison. */
async function runUntilDeath(
  parts: readonly Part[],
  attempt: number,
  poison: string,
  onCreate: Create,
): Promise<PartOutcome[] | 'dead'> {
  let die = () => {}
  const death = new Promise<'dead'>((resolve) => {
    die = () => resolve('dead')
  })
  const runner = newRunner(async (text, at) => {
    await onCreate(text, at)
    if (text !== poison) return
    die()
    await new Promise(() => undefined)
  })
  const { signal } = new AbortController()
  const runs = parts.map((part, i) => runner.run({ job: JOB, part: i, attempt }, part, signal))
  return Promise.race([Promise.all(runs), death])
}

it('leaves out the one line that ends its workers, blames no other that was in work beside it, and keeps the rest', async () => {
  const parts = [partOf(['a', 'b', 'poison', 'd']), partOf(['e', 'f', 'g'], 4)]
  const kept = new Set<string>()
  const outcomes: (PartOutcome[] | 'dead')[] = []
  for (let attempt = 1; outcomes.at(-1) === 'dead' || attempt === 1; attempt++) {
    outcomes.push(await runUntilDeath(parts, attempt, 'poison', async (text) => void kept.add(text)))
    expect(attempt).toBeLessThan(10)
  }
  const [first, second] = outcomes.at(-1) as PartOutcome[]
  expect(first).toMatchObject({ succeeded: 3, failed: [{ line: 2, failure: { code: 'internal' } }] })
  expect(first!.failed[0]!.failure.detail).toContain('3 workers ended')
  expect(second).toEqual({ succeeded: 3, failed: [] })
  expect(outcomes.slice(0, -1)).toEqual(Array.from({ length: 5 }, () => 'dead'))
  expect([...kept].sort()).toEqual(['a', 'b', 'd', 'e', 'f', 'g', 'poison'])
})

it('gives a line the same id, time and mark at each attempt, by which its own earlier work is known', async () => {
  const seen: Attempt[][] = []
  for (const attempt of [1, 2, 3]) {
    const attempts: Attempt[] = []
    const runner = newRunner(async (_text, at) => void attempts.push(at))
    await runner.run({ job: JOB, part: 0, attempt }, partOf(['a', 'b', 'c'], 40_000), new AbortController().signal)
    seen.push(attempts.sort((a, b) => (a.id < b.id ? -1 : 1)))
  }
  const named = seen.map((attempts) =>
    attempts.map(({ id, createdAt, mark, isKeyed }) => ({ id, createdAt, mark, isKeyed })),
  )
  expect(named[1]).toEqual(named[0])
  expect(named[2]).toEqual(named[0])
  expect(named[0]!.map(({ mark }) => mark)).toEqual([40_000, 40_001, 40_002].map((line) => `${JOB.id}/${line}`))
  expect(named[0]!.every(({ id }) => /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/.test(id))).toBe(
    true,
  )
  expect(seen.map((attempts) => attempts[0]!.isRepeat)).toEqual([false, true, true])
})

it('does not begin a line before the model is there, which a worker that is killed meanwhile says nothing of', async () => {
  let answers = 2
  const began: number[] = []
  const runner = newRunner(async () => void began.push(answers), {
    ready: async () => {
      if (answers-- > 0) throw new DomainError('encoder-unavailable', 'loading', { retryAfterS: 0 })
    },
  })
  const outcome = await runner.run({ job: JOB, part: 0, attempt: 3 }, partOf(['a']), new AbortController().signal)
  expect(outcome.succeeded).toBe(1)
  expect(began).toEqual([-1])
})

it('waits where nothing is wrong with a line, tries thrice what nobody foresaw, and fails at once what will not change', async () => {
  const tries: Record<string, number> = {}
  const runner = newRunner(async (text) => {
    tries[text] = (tries[text] ?? 0) + 1
    if (text === 'bad') throw new DomainError('undecodable-media', 'no picture')
    if (text === 'strange') throw new Error('a defect')
    if (text === 'busy' && tries[text]! < 5) throw new DomainError('overloaded', 'later')
  })
  const part = partOf(['bad', 'strange', 'busy'])
  const { succeeded, failed } = await runner.run({ job: JOB, part: 0, attempt: 1 }, part, new AbortController().signal)
  expect(tries).toEqual({ bad: 1, strange: 3, busy: 5 })
  expect(succeeded).toBe(1)
  expect(failed.map(({ line, failure }) => [line, failure.code])).toEqual([
    [0, 'undecodable-media'],
    [1, 'internal'],
  ])
})

it('begins nothing more once it is told to stop', async () => {
  const stop = new AbortController()
  let begun = 0
  const runner = newRunner(async () => {
    begun++
    stop.abort(new Error('stopped'))
  })
  await runner.run(
    { job: JOB, part: 0, attempt: 1 },
    partOf(Array.from({ length: 20 }, (_, i) => `t${i}`)),
    stop.signal,
  )
  expect(begun).toBeLessThanOrEqual(4)
})
