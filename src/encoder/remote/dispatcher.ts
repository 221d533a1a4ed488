/**
 * Places samples on replicas, and places them again where one fails: encoding changes nothing, so it may be done twice.
 *
 *   refused, for what the replica lacks   another replica; what all refuse as overloaded is told so
 *   unreached                             another replica, or the next that comes back, within the patience
 *   lost                                  another replica, each sample by itself: one of them may have been what ended the
 *                                         replica, and is not to take others with it; the last time, one after the other
 *
 * The replica with the least in work is taken, of those that are well.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { deadlineOf } from '../../deadline.ts'
import { DomainError } from '../../errors.ts'
import { Serial } from '../../serial.ts'
import type { HeadInputs, Kind } from '../encoder.ts'
import { bytesOf } from '../head-inputs.ts'
import type { Replica } from './replica.ts'
import type { Wake } from './wake.ts'
import { encodeRequest, type Result } from './wire.ts'

/** Samples of one request are of one kind and, of heads, of one head. */
export interface Job {
  kind: Kind
  head?: string
  inputs: HeadInputs
  signal?: AbortSignal | undefined
}

type Outcome = PromiseSettledResult<Result>

/** How a placement has gone so far. */
interface Course {
  /** Times that a replica took the samples and did not do them. */
  failures: number
  /** Replicas not asked again in this round. */
  avoid: Set<Replica>
  overload?: Error
}

/** What breaks every replica is not given to more than these. */
const MAX_FAILURES = 3
const PAUSE_MS = 50
/** Of a sample in a frame, beside its tensors. */
const HEADER_BYTES = 256

export class Dispatcher {
  #turn = 0
  readonly #suspects = new Serial()
  /** Since when no replica could be asked, on the clock of `performance.now()`. */
  #downSinceMs: number | undefined
  /** What every replica takes as one request. */
  readonly maxRequestBytes: number

  /**
   * @param model hash of the bundle
   * @param patienceMs how long samples wait for any replica to come back, from when the last was lost
   */
  constructor(
    private readonly replicas: readonly Replica[],
    private readonly model: string,
    private readonly patienceMs: number,
    private readonly wake: Wake,
  ) {
    this.maxRequestBytes = Math.min(...replicas.map(({ reach }) => reach.maxRequestBytes))
  }

  /** Outcome of each sample, in order. Never rejects. */
  async run(jobs: readonly Job[]): Promise<Outcome[]> {
    const parts = inRequests(jobs, this.maxRequestBytes)
    return (await Promise.all(parts.map((part) => this.#runTogether(part)))).flat()
  }

  async #runTogether(jobs: readonly Job[]): Promise<Outcome[]> {
    const watch = watchAll(jobs)
    try {
      return await this.#place(jobs, { failures: 0, avoid: new Set() }, watch.signal)
    } catch (error) {
      return allRejected(jobs, error) // nobody waits for them any more
    } finally {
      watch.release()
    }
  }

  async #place(jobs: readonly Job[], course: Course, signal: AbortSignal): Promise<Outcome[]> {
    for (;;) {
      const replica = this.#pick(jobs[0]!.kind, course.avoid)
      if (replica === undefined) {
        if (course.overload) return allRejected(jobs, course.overload)
        if (!(await this.#waited(signal)))
          return allRejected(jobs, this.wake.isAsleep ? this.wake.starting() : this.unavailable())
        course.avoid.clear()
        continue
      }
      this.#downSinceMs = undefined
      const reply = await replica.run(this.#frame(jobs), jobs.length, signal)
      if (reply.kind === 'answered') return this.#mended(jobs, reply.outcomes, replica, course, signal)
      if (reply.kind === 'unreached') continue // its breaker is open now
      if (!(reply.error instanceof DomainError)) return allRejected(jobs, reply.error)
      course.avoid.add(replica)
      if (reply.error.code === 'overloaded') course.overload = reply.error
      else if (++course.failures >= MAX_FAILURES) return allRejected(jobs, reply.error)
      if (reply.kind === 'lost') return this.#placeSuspects(jobs, course, signal)
    }
  }

  /** Samples that this replica alone could not do are done by another, if there is one. */
  async #mended(jobs: readonly Job[], outcomes: Outcome[], replica: Replica, course: Course, signal: AbortSignal) {
    const failed = outcomes.flatMap((outcome, i) => (isReplicas(outcome) ? [i] : []))
    course.avoid.add(replica)
    if (failed.length === 0 || this.#pick(jobs[0]!.kind, course.avoid) === undefined) return outcomes
    if (++course.failures >= MAX_FAILURES) return outcomes
    const again = await this.#placeEach(
      failed.map((i) => jobs[i]!),
      course,
      signal,
    )
    failed.forEach((i, at) => {
      outcomes[i] = again[at]!
    })
    return outcomes
  }

  /** What was lost once may have had bad company; what was lost twice is tried while no other suspect is. */
  #placeSuspects(jobs: readonly Job[], course: Course, signal: AbortSignal): Promise<Outcome[]> {
    if (course.failures < MAX_FAILURES - 1) return this.#placeEach(jobs, course, signal)
    return this.#suspects.run(() => this.#placeEach(jobs, course, signal))
  }

  async #placeEach(jobs: readonly Job[], course: Course, signal: AbortSignal): Promise<Outcome[]> {
    const alone = (job: Job) => this.#place([job], { ...course, avoid: new Set(course.avoid) }, signal)
    return (await Promise.all(jobs.map(alone))).flat()
  }

  /** Least in work of those that are well; else one whose pause is over, to be tried with one request. */
  #pick(kind: Kind, avoid: ReadonlySet<Replica>): Replica | undefined {
    const start = this.#turn++ // of equals not always the first
    const turned = this.replicas.map((_, i) => this.replicas[(start + i) % this.replicas.length]!)
    const others = turned.filter((replica) => !avoid.has(replica))
    const well = others.filter((replica) => replica.state === 'closed')
    const fit = well.filter((replica) => replica.isFit(kind))
    const [least] = (fit.length > 0 ? fit : well).toSorted((a, b) => a.inWork - b.inWork)
    return least ?? others.find((replica) => replica.state === 'half-open' && replica.inWork === 0)
  }

  /** @returns false if the patience is over */
  async #waited(signal: AbortSignal): Promise<boolean> {
    const nowMs = performance.now()
    this.#downSinceMs ??= nowMs
    if (nowMs - this.#downSinceMs >= this.patienceMs) return false
    await sleep(PAUSE_MS, undefined, { signal })
    return true
  }

  #frame(jobs: readonly Job[]): Buffer {
    const { head } = jobs[0]!
    const samples = jobs.map(({ inputs, signal }) => {
      const atMs = deadlineOf(signal)
      return { inputs, ...(atMs !== undefined && { timeoutMs: Math.max(1, Math.floor(atMs - performance.now())) }) }
    })
    return encodeRequest({ model: this.model, ...(head !== undefined && { head }), samples })
  }

  /** Why no replica can be asked. */
  unavailable(): DomainError {
    const { length } = this.replicas
    const reasons = this.replicas.map(({ reason }, i) => `Encoder service ${i + 1} of ${length}: ${reason}`)
    return new DomainError('encoder-unavailable', reasons.join(' '), { retryAfterS: 2 })
  }
}

/** Whether it failed for a reason that another replica need not share. */
function isReplicas(outcome: Outcome): boolean {
  if (outcome.status === 'fulfilled' || !(outcome.reason instanceof DomainError)) return false
  return outcome.reason.code === 'encoder-unavailable' || outcome.reason.code === 'overloaded'
}

/** Runs of samples that replicas take as one request; what is larger by itself goes alone. */
function inRequests(jobs: readonly Job[], maxBytes: number): Job[][] {
  const parts: Job[][] = []
  let bytes = Number.POSITIVE_INFINITY
  for (const job of jobs) {
    const own = bytesOf(Object.values(job.inputs)) + HEADER_BYTES
    bytes += own
    if (bytes > maxBytes || parts.length === 0) {
      parts.push([])
      bytes = own
    }
    parts.at(-1)!.push(job)
  }
  return parts
}

function allRejected(jobs: readonly Job[], reason: unknown): Outcome[] {
  return jobs.map(() => ({ status: 'rejected', reason }))
}

/** Fires when the last of the jobs has been given up. */
function watchAll(jobs: readonly Job[]): { signal: AbortSignal; release(): void } {
  const control = new AbortController()
  const signals = jobs.map(({ signal }) => signal)
  const look = () => {
    if (signals.every((signal) => signal?.aborted)) control.abort(signals[0]?.reason)
  }
  for (const signal of signals) signal?.addEventListener('abort', look, { once: true })
  look()
  return {
    signal: control.signal,
    release: () => {
      for (const signal of signals) signal?.removeEventListener('abort', look)
    },
  }
}
