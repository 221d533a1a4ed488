/**
 * A part of a job, line by line. Lines run side by side, as many as fill the encoder's batches; each ends as kept or failed.
 *
 * A line may be done twice, by two workers at once even: its item has an id and a mark that follow from job and line, by which its own
 * earlier work is known. Where workers ended within the part, the third one tries its lines one by one, with nothing else in work, and
 * writes down which before it does; one that ends `TRIES_ALONE` workers so is left out, and the others are kept. The model is loaded
 * before any line is begun, so that a worker that is killed while it starts says nothing of a line.
 */
import { createHash } from 'node:crypto'
import type { Gate } from '../gate.ts'
import type { FailedLine, JobRecords, JobRequest, LineFailure, Part, PartOutcome } from '../jobs/job-records.ts'
import { type DeferredEmbeddings, type DeferredItem, readDeferred, vectorsWritten } from './deferred.ts'
import type { EmbedService } from './embed.ts'
import type { ItemDraft, ItemService } from './index-items.ts'
import { patiently } from './patience.ts'
import type { Attempt } from './write-once.ts'

/** How lines are written, which only HTTP knows. */
export interface LineFormat {
  /** @throws what `failureOf` understands, if it is no item */
  read(line: Uint8Array, caller: { tenant: string }): { id?: string | undefined; draft: ItemDraft }
  failureOf(error: unknown): LineFailure
}

export interface PartRunnerDeps {
  records: JobRecords
  format: LineFormat
  items(tenant: string): Pick<ItemService, 'create'>
  embed: Pick<EmbedService, 'embed'>
  /** @throws DomainError `encoder-unavailable` until the model can be used */
  ready(): Promise<void>
  /** Name of the model that is loaded. */
  model: string
  /** Lines at once, over all parts. */
  gate: Gate
  /** A line has ended. */
  onLine(outcome: 'succeeded' | 'failed'): void
  onError(error: unknown): void
}

export interface PartAttempt {
  job: JobRequest
  part: number
  /** 1 for the first worker that has it. */
  attempt: number
}

/** From this attempt on lines are tried one by one: one death may be chance. */
const ALONE_FROM = 3
/** How many workers a line may end while it is tried alone. */
const TRIES_ALONE = 3

const ENDS_WORKERS: LineFailure = {
  code: 'internal',
  detail: `${TRIES_ALONE} workers ended while they tried this line alone; it is left out.`,
}

export class PartRunner {
  readonly #deps: PartRunnerDeps

  constructor(deps: PartRunnerDeps) {
    this.#deps = deps
  }

  /**
   * @param signal where it is aborted nothing more is begun
   * @returns how all lines ended, or those done before `signal`
   */
  async run(attempt: PartAttempt, { firstLine, lines }: Part, signal: AbortSignal): Promise<PartOutcome> {
    const outcome: PartOutcome & { failed: FailedLine[] } = { succeeded: 0, failed: [] }
    const runOne = async (bytes: Uint8Array, index: number) => {
      const failed = await this.#line(attempt, bytes, firstLine + index, signal).catch((error: unknown) => {
        if (signal.aborted) return undefined
        throw error
      })
      if (failed === undefined) return
      if (failed === 'kept') outcome.succeeded++
      else outcome.failed.push(failed)
      this.#deps.onLine(failed === 'kept' ? 'succeeded' : 'failed')
    }
    await this.#patiently(() => this.#deps.ready(), signal).catch((error: unknown) => {
      if (!signal.aborted) throw error
    })
    if (attempt.attempt >= ALONE_FROM) await this.#alone(attempt, { firstLine, lines }, runOne, signal)
    else await Promise.all(lines.map((bytes, index) => this.#inTurn(() => runOne(bytes, index), signal)))
    return { succeeded: outcome.succeeded, failed: outcome.failed.sort((a, b) => a.line - b.line) }
  }

  async #inTurn(task: () => Promise<void>, signal: AbortSignal, how: 'run' | 'runAlone' = 'run'): Promise<void> {
    await this.#deps.gate[how](task, signal).catch((error: unknown) => {
      if (!signal.aborted) throw error
    })
  }

  async #alone(
    { job, part }: PartAttempt,
    { firstLine, lines }: Part,
    runOne: (bytes: Uint8Array, index: number) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    const { records } = this.#deps
    const last = await records.getTrying(job, part)
    for (const [index, bytes] of lines.entries()) {
      const line = firstLine + index
      const tries = last?.line === line ? last.tries + 1 : 1
      const tryOnce = async () => {
        await records.setTrying(job, part, { line, tries })
        await runOne(tries > TRIES_ALONE ? POISON : bytes, index)
        // A worker that ends later ends of something else, maybe of another part's line.
        await records.setTrying(job, part, { line, tries: 0 })
      }
      await this.#inTurn(tryOnce, signal, 'runAlone')
    }
  }

  async #line(
    { job, attempt }: PartAttempt,
    bytes: Uint8Array,
    line: number,
    signal: AbortSignal,
  ): Promise<FailedLine | 'kept'> {
    if (bytes === POISON) return { line, failure: ENDS_WORKERS }
    let id: string | undefined
    try {
      if (job.kind === 'import') {
        const read = this.#deps.format.read(bytes, job)
        id = read.id
        await this.#keep(job, job.collection!, read.id, read.draft, attemptOf(job, line, attempt), signal)
      } else await this.#answer(job, bytes, attempt, signal)
      return 'kept'
    } catch (error) {
      signal.throwIfAborted()
      const failure = this.#deps.format.failureOf(error)
      if (failure.code === 'internal') this.#deps.onError(error)
      return { line, ...(id !== undefined && { id }), failure }
    }
  }

  async #answer(job: JobRequest, bytes: Uint8Array, attempt: number, signal: AbortSignal): Promise<void> {
    const { records, embed, model } = this.#deps
    if (job.kind === 'embeddings') {
      const { contents, encodingFormat, ...options } = readDeferred<DeferredEmbeddings>(bytes)
      const encoded = await this.#patiently(() => embed.embed(contents, options, signal), signal)
      await records.putResult(job, vectorsWritten(encoded, model, encodingFormat))
    } else {
      const { collection, id, ...draft } = readDeferred<DeferredItem>(bytes)
      await records.putResult(job, await this.#keep(job, collection, id, draft, attemptOf(job, 0, attempt), signal))
    }
  }

  #keep(
    { tenant }: JobRequest,
    collection: string,
    id: string | undefined,
    draft: ItemDraft,
    attempt: Attempt,
    signal: AbortSignal,
  ) {
    return this.#patiently(() => this.#deps.items(tenant).create(collection, id, draft, signal, attempt), signal)
  }

  #patiently<T>(task: () => Promise<T>, signal: AbortSignal): Promise<T> {
    const isForeseen = (error: unknown) => this.#deps.format.failureOf(error).code !== 'internal'
    return patiently(task, isForeseen, signal)
  }
}

/** In place of a line that is not tried any more. */
const POISON = Buffer.alloc(0)

/** The same for each attempt at the line. Ids sort by job, then by line. */
function attemptOf({ id, createdAt }: JobRequest, line: number, attempt: number): Attempt {
  return { id: idOfLine(id, line), createdAt, isRepeat: attempt > 1, isKeyed: true, mark: `${id}/${line}` }
}

/** A UUID of version 7 (RFC 9562): time of the job, then the line, then bits of both that nobody can guess without the job's id. */
function idOfLine(job: string, line: number): string {
  const time = job.replaceAll('-', '').slice(0, 12)
  const order = line.toString(16).padStart(9, '0')
  const hash = createHash('sha256').update(`${job}/${line}`).digest('hex')
  const hex = `${time}7${order.slice(0, 3)}8${order.slice(3, 6)}${order.slice(6)}${hash.slice(0, 9)}`
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
