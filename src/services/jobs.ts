/**
 * The jobs of one tenant: taken in, told of, cancelled. Who does them is told in `job-worker.ts`.
 *
 *   lines ─► parts, durable as they come ─► the job's record ─► its first parts to the queue ─► answer
 *
 * A crash before the record leaves parts that nothing refers to; one after it a job that is done without anyone having been told.
 */
import { DomainError } from '../errors.ts'
import {
  type FailedLine,
  type JobKind,
  type JobRecords,
  type JobRequest,
  type LineFailure,
  sumOf,
} from '../jobs/job-records.ts'
import { messageOf, nextParts } from '../jobs/parts.ts'
import type { Queue } from '../queue/queue.ts'
import { type Attempt, newAttempt, timeOrderedId } from './write-once.ts'

export interface JobServiceDeps {
  records: JobRecords
  queue: Pick<Queue, 'send'>
  tenant: string
  /** Jobs that may be unfinished at once. */
  maxOpen: number
}

export type JobState = 'queued' | 'running' | 'completed' | 'failed' | 'cancelled'

export interface Job {
  request: JobRequest
  state: JobState
  startedAt?: string | undefined
  finishedAt?: string | undefined
  succeeded: number
  failed: number
  /** Lines a second, from the start to now or the end. */
  rate?: number | undefined
  /** Of a deferred request that is answered; only where one job is asked for. */
  result?: unknown
  /** Of a deferred request that met a problem; only where one job is asked for. */
  failure?: LineFailure | undefined
}

/** Lines that are durable, and no job's yet. */
export interface Staged {
  source: string
  parts: number
  lines: number
}

/** A part is what one worker takes at once, and what is done again if it dies. */
const PART_LINES = 128
const PART_BYTES = 4 * 1024 * 1024
/** Stands for a line that was too long to be kept. */
export const TOO_LONG_LINE = Uint8Array.of(0)
/** What a client is asked to wait where it has too many jobs. */
const RETRY_LATER_S = 60

export class JobService {
  readonly #deps: JobServiceDeps

  constructor(deps: JobServiceDeps) {
    this.#deps = deps
  }

  /** @throws DomainError `rate-limited` if the tenant has as many unfinished jobs as it may have */
  async assertRoom(): Promise<void> {
    const { records, tenant, maxOpen } = this.#deps
    const open = await records.open(tenant)
    if (open.length < maxOpen) return
    const message = `There are ${open.length} jobs that are not finished; ${maxOpen} are allowed. Wait for one, or cancel one.`
    throw new DomainError('rate-limited', message, { retryAfterS: RETRY_LATER_S })
  }

  /**
   * Takes lines of any number, holding one part in memory.
   * @param lines without blank ones; undefined for one that was too long
   * @throws DomainError `unprocessable-content` if there is none, and what `lines` throws; nothing is kept then
   */
  async stage(lines: AsyncIterable<Uint8Array | undefined> | Iterable<Uint8Array | undefined>): Promise<Staged> {
    const { records } = this.#deps
    const staged: Staged = { source: timeOrderedId(), parts: 0, lines: 0 }
    try {
      for await (const part of partsOf(lines)) {
        await records.putPart(staged.source, staged.parts++, { firstLine: staged.lines, lines: part })
        staged.lines += part.length
      }
    } catch (error) {
      await this.discard(staged)
      throw error
    }
    if (staged.lines > 0) return staged
    throw new DomainError('unprocessable-content', 'There is no item; send one a line.')
  }

  async discard({ source }: Pick<Staged, 'source'>): Promise<void> {
    await this.#deps.records.deleteSource(source).catch(() => undefined) // the sweep has it
  }

  /**
   * @param staged the job's from now on
   * @param attempt of a request that may be sent again: a job that an earlier attempt of it made is its answer
   * @throws DomainError `queue-unavailable`, `vector-store-unavailable`; there is no job then
   */
  async create(
    kind: JobKind,
    { source, parts, lines }: Staged,
    { collection }: { collection?: string | undefined } = {},
    { id, createdAt, isRepeat }: Attempt = newAttempt(),
  ): Promise<Job> {
    const { records, queue, tenant } = this.#deps
    const before = isRepeat ? await records.get({ tenant, id }) : undefined
    if (before) {
      if (before.source !== source) await this.discard({ source })
      return this.#viewOf(before)
    }
    const job: JobRequest = {
      id,
      tenant,
      kind,
      ...(collection !== undefined && { collection }),
      createdAt,
      source,
      parts,
      lines,
    }
    try {
      await records.create(job)
      await queue.send(nextParts(parts, new Set()).map((part) => messageOf({ tenant, id, part })))
    } catch (error) {
      await records.delete(job).catch(() => undefined)
      await this.discard(job)
      throw error
    }
    return { request: job, state: 'queued', succeeded: 0, failed: 0 }
  }

  /** With its result. @throws DomainError `not-found` */
  async get(id: string): Promise<Job> {
    const { records } = this.#deps
    const request = await this.#found(id)
    const job = await this.#viewOf(request)
    if (request.kind === 'import') return job
    if (job.state === 'completed') return { ...job, result: await records.getResult(request) }
    if (job.state !== 'failed') return job
    const [part] = await records.doneParts(request)
    const [line] = part ? await records.failedLines(part) : []
    return { ...job, failure: line?.failure }
  }

  /** Newest first. @param before id; older ones than this */
  async list({
    limit,
    before,
  }: {
    limit: number
    before?: string | undefined
  }): Promise<{ jobs: Job[]; more: boolean }> {
    const { records, tenant } = this.#deps
    const ids = (await records.ids(tenant)).reverse().filter((id) => before === undefined || id < before)
    const requests = await Promise.all(ids.slice(0, limit).map((id) => records.get({ tenant, id })))
    const jobs = await Promise.all(requests.filter((request) => request !== undefined).map((job) => this.#viewOf(job)))
    return { jobs, more: ids.length > limit }
  }

  /**
   * Failed lines in order, those so far.
   * @param after a line; those that come later
   * @throws DomainError `not-found`
   */
  async errors(id: string, { limit, after = -1 }: { limit: number; after?: number | undefined }) {
    const { records } = this.#deps
    const lines: FailedLine[] = []
    for (const part of await records.doneParts(await this.#found(id))) {
      if (part.failed === 0) continue
      const failed = await records.failedLines(part)
      lines.push(...failed.filter(({ line }) => line > after).sort((a, b) => a.line - b.line))
      if (lines.length > limit) break
    }
    return { lines: lines.slice(0, limit), more: lines.length > limit }
  }

  /** What is kept stays; a finished job, too. @throws DomainError `not-found` */
  async cancel(id: string): Promise<Job> {
    const { records } = this.#deps
    const request = await this.#found(id)
    const { state, succeeded, failed } = await this.#viewOf(request)
    if (state === 'queued' || state === 'running')
      await records.end(request, { state: 'cancelled', at: new Date().toISOString(), succeeded, failed })
    return this.#viewOf(request)
  }

  async #found(id: string): Promise<JobRequest> {
    const { records, tenant } = this.#deps
    const job = await records.get({ tenant, id })
    if (job === undefined)
      throw new DomainError('not-found', `There is no job '${id}'; finished ones are kept for a time.`)
    return job
  }

  async #viewOf(request: JobRequest): Promise<Job> {
    const { records } = this.#deps
    const [end, startedAt] = await Promise.all([records.getEnd(request), records.startedAt(request)])
    // Lines that were being worked on when it was cancelled may be done after that.
    const { succeeded, failed } = end && end.state !== 'cancelled' ? end : sumOf(await records.doneParts(request))
    return {
      request,
      state: end?.state ?? (startedAt === undefined ? 'queued' : 'running'),
      startedAt,
      finishedAt: end?.at,
      succeeded,
      failed,
      rate: rateOf(succeeded + failed, startedAt, end?.at),
    }
  }
}

async function* partsOf(
  lines: AsyncIterable<Uint8Array | undefined> | Iterable<Uint8Array | undefined>,
): AsyncGenerator<Uint8Array[]> {
  let part: Uint8Array[] = []
  let bytes = 0
  for await (const given of lines) {
    const line = given ?? TOO_LONG_LINE
    if (part.length === PART_LINES || (part.length > 0 && bytes + line.length > PART_BYTES)) {
      yield part
      part = []
      bytes = 0
    }
    part.push(line)
    bytes += line.length
  }
  if (part.length > 0) yield part
}

function rateOf(lines: number, startedAt: string | undefined, finishedAt: string | undefined): number | undefined {
  if (startedAt === undefined) return undefined
  const ms = (finishedAt === undefined ? Date.now() : Date.parse(finishedAt)) - Date.parse(startedAt)
  return ms > 0 ? Math.round((lines * 100_000) / ms) / 100 : undefined
}
