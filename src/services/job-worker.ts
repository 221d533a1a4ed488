/**
 * Takes parts of jobs from the queue and does them. A part is done once its outcome is stored; then the part that follows it is sent,
 * then the message is done with. Whatever is killed in between, the part comes again, and what is done is seen to be done.
 */
import { setMaxListeners } from 'node:events'
import { type FailedLine, type JobRecords, type JobRequest, type PartOutcome, sumOf } from '../jobs/job-records.ts'
import { messageOf, partOf, WINDOW } from '../jobs/parts.ts'
import type { Consumer, Queue } from '../queue/queue.ts'
import type { PartRunner } from './part-runner.ts'
import { patiently } from './patience.ts'

export interface JobWorkerDeps {
  records: JobRecords
  queue: Queue
  runner: PartRunner
  /** Parts at once. */
  partsAtOnce: number
  onError(error: unknown): void
}

/** How soon a worker notices that its job was cancelled. */
const LOOK_MS = 1000

export class JobWorker {
  readonly #deps: JobWorkerDeps
  #consumer: Consumer | undefined

  constructor(deps: JobWorkerDeps) {
    this.#deps = deps
  }

  start(): void {
    const { queue, partsAtOnce, onError } = this.#deps
    this.#consumer = queue.consume({
      atOnce: partsAtOnce,
      handle: (message, attempt, signal) => this.perform(message, attempt, signal),
      onParked: (message, reason) => this.#park(message, reason),
      onError,
    })
  }

  /** Takes no more; what it had comes again, to whoever is there. */
  async stop(): Promise<void> {
    await this.#consumer?.stop()
  }

  /** Does what a message of the queue names; one of a job that is no more is nothing to do. @throws `signal.reason` */
  async perform(message: string, attempt: number, signal: AbortSignal): Promise<void> {
    const { records, runner } = this.#deps
    const { part, ...named } = partOf(message)
    const job = await records.get(named)
    if (job === undefined) return
    if (await records.getEnd(job)) return records.close(job)
    if (!(await records.isDone(job, part))) {
      const source = await records.getPart(job.source, part)
      if (source === undefined) return // it has ended this moment
      await records.start(job)
      const outcome = await this.#unlessCancelled(job, signal, (either) =>
        runner.run({ job, part, attempt }, source, either),
      )
      await this.#stored(() => records.finishPart(job, part, outcome), signal)
    }
    await this.#goOn(job, part, signal)
  }

  /** Aborts `run` where the job ends, too. @throws `signal.reason`, as what is not done then is done by another */
  async #unlessCancelled(
    job: JobRequest,
    signal: AbortSignal,
    run: (either: AbortSignal) => Promise<PartOutcome>,
  ): Promise<PartOutcome> {
    const ended = new AbortController()
    const look = async () => (await this.#deps.records.getEnd(job)) && ended.abort(new Error('The job has ended.'))
    const timer = setInterval(() => void look().catch(() => undefined), LOOK_MS)
    try {
      const either = AbortSignal.any([signal, ended.signal])
      setMaxListeners(0, either) // each line listens; Node warns of more than ten
      const outcome = await run(either)
      if (!ended.signal.aborted) signal.throwIfAborted()
      return outcome
    } finally {
      clearInterval(timer)
    }
  }

  async #goOn(job: JobRequest, part: number, signal: AbortSignal): Promise<void> {
    const { queue } = this.#deps
    if (part + WINDOW < job.parts)
      await this.#stored(() => queue.send([messageOf({ ...job, part: part + WINDOW })]), signal)
    else await endIfDone(this.#deps.records, job)
  }

  /** The part's lines count as failed, which for the last worker's may be wrong: it told nobody. */
  async #park(message: string, reason: unknown): Promise<void> {
    const { records, onError } = this.#deps
    const { part, ...named } = partOf(message)
    const job = await records.get(named)
    if (job === undefined || (await records.getEnd(job)) || (await records.isDone(job, part))) return
    onError(
      new Error(`Part ${part} of the job ${job.id} is given up: ${reason instanceof Error ? reason.message : reason}`),
    )
    const source = await records.getPart(job.source, part)
    if (source === undefined) return
    const detail =
      'No worker could finish the part of the job that this line is in; it may be kept, or not. Send it again.'
    const failed = source.lines.map(
      (_, i): FailedLine => ({ line: source.firstLine + i, failure: { code: 'internal', detail } }),
    )
    await records.finishPart(job, part, { succeeded: 0, failed })
    await this.#goOn(job, part, new AbortController().signal)
  }

  #stored(task: () => Promise<void>, signal: AbortSignal): Promise<void> {
    return patiently(task, () => false, signal)
  }
}

/** Writes the end of a job whose parts are all done. @returns whether it has ended */
export async function endIfDone(records: JobRecords, job: JobRequest): Promise<boolean> {
  const done = await records.doneParts(job)
  if (done.length < job.parts) return false
  const counts = sumOf(done)
  const state = job.kind !== 'import' && counts.failed > 0 ? 'failed' : 'completed'
  await records.end(job, { state, at: new Date().toISOString(), ...counts })
  return true
}
