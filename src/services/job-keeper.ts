/**
 * Sees to it that every job ends, whatever a queue has lost, and that what has ended does not take room for ever. Any number of
 * processes may keep the same jobs: all that it does may be done twice.
 */
import { type JobRecords, type JobRequest, type OpenJob, timeOfId } from '../jobs/job-records.ts'
import { messageOf, nextParts } from '../jobs/parts.ts'
import type { Queue } from '../queue/queue.ts'
import { Recurring } from '../recurring.ts'
import { endIfDone } from './job-worker.ts'

export interface JobKeeperDeps {
  records: JobRecords
  queue: Pick<Queue, 'send'>
  /** How long a job is kept once it has ended. */
  keepMs: number
  onError(error: unknown): void
}

const LOOK_EVERY_MS = 30_000
/** A job that does not move for this long has its next parts sent again; then for twice as long, and so on. */
const FIRST_PATIENCE_MS = 60_000
const MAX_PATIENCE_MS = 60 * 60_000
const SWEEP_EVERY_MS = 60 * 60_000
/** Older than any request that is still being read: what no job refers to by then, none will. */
const STRAY_MS = 24 * 60 * 60_000

interface Watched {
  done: number
  /** On the clock of `performance.now()`. */
  since: number
  patienceMs: number
}

export class JobKeeper {
  readonly #deps: JobKeeperDeps
  readonly #recurring: readonly Recurring[]
  #watched = new Map<string, Watched>()

  constructor(deps: JobKeeperDeps) {
    this.#deps = deps
    this.#recurring = [
      new Recurring(() => this.look().catch(deps.onError), LOOK_EVERY_MS),
      new Recurring(() => this.sweep().catch(deps.onError), SWEEP_EVERY_MS),
    ]
  }

  /** Looks now, and every half minute until `stop`. */
  start(): void {
    for (const each of this.#recurring) each.start()
  }

  async stop(): Promise<void> {
    await Promise.all(this.#recurring.map((each) => each.stop()))
  }

  /** Sends the next parts of jobs that this keeper has not seen yet, or that stand still. */
  async look(): Promise<void> {
    const { records } = this.#deps
    const watched = new Map<string, Watched>()
    for (const open of await records.open()) {
      const job = await records.get(open)
      if (job === undefined) await this.#forget(open)
      else if (await records.getEnd(job)) await records.close(job)
      else if (!(await endIfDone(records, job))) watched.set(job.id, await this.#tend(job))
    }
    this.#watched = watched
  }

  async #tend(job: JobRequest): Promise<Watched> {
    const { records, queue } = this.#deps
    const done = new Set((await records.doneParts(job)).map(({ part }) => part))
    const before = this.#watched.get(job.id)
    const now = performance.now()
    const moved = { done: done.size, since: now, patienceMs: FIRST_PATIENCE_MS }
    if (before !== undefined && before.done !== done.size) return moved
    if (before !== undefined && now - before.since < before.patienceMs) return before
    await queue.send(nextParts(job.parts, done).map((part) => messageOf({ ...job, part })))
    const patienceMs = before ? Math.min(MAX_PATIENCE_MS, 2 * before.patienceMs) : FIRST_PATIENCE_MS
    return { ...moved, patienceMs }
  }

  /** A job whose record was never written: its request died first, or is writing it now. */
  async #forget(open: OpenJob): Promise<void> {
    if (Date.now() - timeOfId(open.id) > STRAY_MS) await this.#deps.records.delete(open)
  }

  /** Deletes jobs that ended long ago, and lines that no job was made of. */
  async sweep(): Promise<void> {
    const { records, keepMs } = this.#deps
    for (const job of await records.all()) {
      if (Date.now() - timeOfId(job.id) < keepMs) continue // without a look at it
      const end = await records.getEnd(job)
      if (end !== undefined && Date.now() - Date.parse(end.at) > keepMs) await records.delete(job)
    }
    const strays = [...(await records.sources())].filter((source) => Date.now() - timeOfId(source) > STRAY_MS)
    if (strays.length === 0) return
    const needed = new Set<string>()
    for (const open of await records.open()) needed.add((await records.get(open))?.source ?? '')
    for (const source of strays) if (!needed.has(source)) await records.deleteSource(source)
  }
}
