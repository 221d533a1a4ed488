/**
 * The queue on Redis, kept by BullMQ: https://docs.bullmq.io. A message is a BullMQ job whose id is the message, so one that waits or
 * is active is not added again; parked ones are its failed jobs, where `bull-board` and the like show them. A consumer holds a lock that
 * it renews; one whose lock runs out is dead, and what it had is handed out again. The only file that imports bullmq.
 */
import { Queue as BullQueue, type Job, UnrecoverableError, Worker } from 'bullmq'
import { DomainError } from '../errors.ts'
import {
  type Consumer,
  handled,
  pauseAfter,
  type Queue,
  type QueueDepth,
  type QueueOptions,
  type Work,
} from './queue.ts'
import { within } from './within.ts'

const NAME = 'jobs'
/** What parks a message is decided here, and never by BullMQ. */
const ALWAYS = 1_000_000
/** How long a request waits for a Redis that does not answer. */
const PATIENCE_MS = 5000

export interface RedisQueueOptions extends QueueOptions {
  /** `redis://` or `rediss://`, with user, password and database as usual. */
  url: string
  /** Of all keys. */
  prefix?: string
  onError(error: unknown): void
}

export class RedisQueue implements Queue {
  readonly #options: RedisQueueOptions
  readonly #queue: BullQueue

  constructor(options: RedisQueueOptions) {
    this.#options = options
    const connection = { url: options.url, maxRetriesPerRequest: 1 }
    this.#queue = new BullQueue(NAME, {
      connection,
      prefix: this.#prefix,
      defaultJobOptions: {
        attempts: ALWAYS,
        backoff: { type: 'custom' },
        removeOnComplete: true,
        removeOnFail: false,
        stackTraceLimit: 1,
      },
    })
    this.#queue.on('error', options.onError)
  }

  get #prefix(): string {
    return this.#options.prefix ?? 'onepeace'
  }

  async send(messages: readonly string[]): Promise<void> {
    const jobs = messages.map((message) => ({ name: NAME, data: {}, opts: { jobId: message } }))
    await reached(this.#queue.addBulk(jobs))
  }

  consume(work: Work): Consumer {
    const { url, lifeMs, firstPauseMs, maxAttempts } = this.#options
    const stopping = new AbortController()
    const worker = new Worker(NAME, (job: Job) => run(job, work, maxAttempts, stopping.signal), {
      connection: { url, maxRetriesPerRequest: null },
      prefix: this.#prefix,
      concurrency: work.atOnce,
      lockDuration: lifeMs,
      stalledInterval: lifeMs,
      maxStalledCount: ALWAYS,
      settings: { backoffStrategy: (attempts: number) => pauseAfter(attempts, firstPauseMs) },
    })
    worker.on('error', work.onError)
    return {
      stop: async () => {
        stopping.abort()
        await worker.close()
      },
    }
  }

  async depth(): Promise<QueueDepth> {
    const counts = await reached(this.#queue.getJobCounts('wait', 'prioritized', 'delayed', 'active', 'failed'))
    const { wait = 0, prioritized = 0, delayed = 0, active = 0, failed = 0 } = counts
    return { waiting: wait + prioritized + delayed, active, parked: failed }
  }

  async close(): Promise<void> {
    await this.#queue.close()
  }
}

async function run(job: Job, work: Work, maxAttempts: number, signal: AbortSignal): Promise<void> {
  const message = job.id!
  const attempt = job.attemptsStarted
  const ended = await handled(work, { message, attempt, maxAttempts }, signal)
  if (ended.outcome === 'done') return
  const { outcome, reason } = ended
  if (outcome !== 'park') throw reason
  await work.onParked(message, reason)
  throw new UnrecoverableError(reason instanceof Error ? reason.message : String(reason))
}

/** @throws DomainError `queue-unavailable` */
async function reached<T>(answer: Promise<T>): Promise<T> {
  try {
    return await within(PATIENCE_MS, answer)
  } catch (error) {
    const message = 'Redis, which keeps the queue, does not answer; nothing was begun. Try again later.'
    throw new DomainError('queue-unavailable', message, { cause: error, retryAfterS: 5 })
  }
}
