/**
 * Collects inputs of one modality into batches. In: single items, each with its own waiter. Out: calls of `run` with
 * several items of one bucket (items of different buckets never share a batch, e.g. sounds of different length).
 *
 *   submit ─► queue (bounded by cost) ─► the oldest item's bucket ─► a free session ─► run ─► every waiter settled
 *                 └ abort: leaves the queue          └ waits up to maxWaitMs for company, by default not at all
 *
 * A batch is composed at the last moment, when a session is free: until then aborted items can leave and later ones join. So a
 * busy encoder fills its batches by itself, and an idle one answers at once.
 */
import { DomainError } from '../errors.ts'
import type { Turns } from './turns.ts'

export interface BatcherOptions<Item, Session, Result = Float32Array> {
  /** Most items of one batch. */
  maxBatch: number
  /** Most work of one batch, in the unit of `workOf`; what is larger by itself goes alone. No bound if absent. */
  maxBatchWork?: number
  /** What an item costs to compute; 1 if absent. */
  workOf?: (item: Item) => number
  /** How long an item waits for company while a session is free. */
  maxWaitMs: number
  /** Whether what comes in the same turn of the event loop goes together; else the first goes at once. Default false. */
  together?: boolean
  /** Bound of the cost of all accepted and unfinished items, in the unit of `costOf`. */
  maxCost: number
  costOf: (item: Item) => number
  /** Only items of equal bucket share a batch. */
  bucketOf: (item: Item) => number
  /** Outcome of each item, in order. A rejection fails the whole batch. */
  run: (items: Item[], session: Session) => Promise<PromiseSettledResult<Result>[]>
  sessions: Turns<Session>
  /** What tells time; another than the machine's to replay arrivals faster than they came (deploy/capacity). */
  clock?: Clock
  /** Told of each batch: how long its items waited, and how long it took, in ms. */
  onBatch?: ((waitsMs: number[], tookMs: number) => void) | undefined
}

export interface Clock {
  nowMs(): number
  /** Calls once after that time. @returns call to have it not called */
  after(ms: number, call: () => void): () => void
}

const MACHINE_CLOCK: Clock = {
  nowMs: () => Date.now(),
  after: (ms, call) => {
    const timer = setTimeout(call, ms)
    return () => clearTimeout(timer)
  },
}

interface Entry<Item, Result> {
  item: Item
  cost: number
  work: number
  bucket: number
  acceptedMs: number
  resolve: (result: Result) => void
  reject: (reason: unknown) => void
  /** Stops listening to the item's signal. */
  unwatch?: () => void
}

/** Bounds of the advice to come back later. */
const MIN_RETRY_S = 1
const MAX_RETRY_S = 60
/** Weight of the newest batch in the running estimate of speed. */
const SPEED_WEIGHT = 0.3

export class Batcher<Item, Session, Result = Float32Array> {
  private queue: Entry<Item, Result>[] = []
  /** Cost and number of the items accepted and not yet finished. */
  private load = 0
  private unfinished = 0
  private costPerMs: number | undefined
  private pumping = false
  private closed = false
  private wake: () => void = () => {}
  private readonly drained: (() => void)[] = []

  private readonly clock: Clock

  constructor(private readonly options: BatcherOptions<Item, Session, Result>) {
    this.clock = options.clock ?? MACHINE_CLOCK
  }

  /**
   * What `run` makes of one item.
   * @throws DomainError `overloaded`, `deadline-exceeded` (aborted), `encoder-unavailable` (closed), or what `run` gave
   */
  submit(item: Item, signal?: AbortSignal): Promise<Result> {
    const cost = this.options.costOf(item)
    const refusal = this.refusal(cost, signal)
    if (refusal) return Promise.reject(refusal)
    return new Promise((resolve, reject) => {
      const { bucketOf, workOf = () => 1 } = this.options
      const [bucket, work] = [bucketOf(item), workOf(item)]
      const entry: Entry<Item, Result> = { item, cost, work, bucket, acceptedMs: this.clock.nowMs(), resolve, reject }
      if (signal) this.watch(entry, signal)
      this.queue.push(entry)
      this.load += cost
      this.unfinished++
      if (this.pumping) this.wake()
      else void this.pump()
    })
  }

  /** Refuses new items, finishes the accepted ones. */
  async close(): Promise<void> {
    this.closed = true
    this.wake()
    if (this.unfinished > 0) await new Promise<void>((resolve) => this.drained.push(resolve))
  }

  private refusal(cost: number, signal?: AbortSignal): DomainError | undefined {
    if (this.closed) {
      return new DomainError('encoder-unavailable', 'The encoder is shutting down; try again later.', {
        retryAfterS: MIN_RETRY_S,
      })
    }
    if (signal?.aborted) return deadlineExceeded(signal)
    // An item above the bound by itself is let in when alone, as it could never be served otherwise.
    if (this.load > 0 && this.load + cost > this.options.maxCost) {
      const retryAfterS = this.retryAfterS()
      const message = `The encoder has as much work as it accepts; try again in ${retryAfterS} s.`
      return new DomainError('overloaded', message, { retryAfterS })
    }
    return undefined
  }

  private retryAfterS(): number {
    const seconds = this.costPerMs ? Math.ceil(this.load / this.costPerMs / 1000) : MIN_RETRY_S
    return Math.min(MAX_RETRY_S, Math.max(MIN_RETRY_S, seconds))
  }

  /** An abort settles the waiter at once; an item still in the queue leaves it and never reaches the model. */
  private watch(entry: Entry<Item, Result>, signal: AbortSignal): void {
    const abort = () => {
      entry.reject(deadlineExceeded(signal))
      const place = this.queue.indexOf(entry)
      if (place < 0) return
      this.queue.splice(place, 1)
      this.finish(entry)
    }
    signal.addEventListener('abort', abort, { once: true })
    entry.unwatch = () => signal.removeEventListener('abort', abort)
  }

  /** Runs while there is a queue. One pump a batcher, so that one batch is composed at a time. */
  private async pump(): Promise<void> {
    this.pumping = true
    while (this.queue.length > 0) {
      if (this.options.together) await new Promise(setImmediate)
      await this.gather()
      if (this.queue.length === 0) break
      const session = await this.options.sessions.take()
      const batch = this.takeBatch()
      void this.dispatch(batch, session)
    }
    this.pumping = false
  }

  /** Waits until the oldest item's bucket makes a full batch or has waited long enough. */
  private async gather(): Promise<void> {
    for (;;) {
      const oldest = this.queue[0]
      if (!oldest || this.closed || this.companyOf(oldest).isFull) return
      const leftMs = oldest.acceptedMs + this.options.maxWaitMs - this.clock.nowMs()
      if (leftMs <= 0) return
      await new Promise<void>((resolve) => {
        const cancel = this.clock.after(leftMs, resolve)
        this.wake = () => {
          cancel()
          resolve()
        }
      })
    }
  }

  /** The oldest item and those that may join it, in order, up to the bounds of a batch. */
  private companyOf({ bucket }: Entry<Item, Result>): { batch: Entry<Item, Result>[]; isFull: boolean } {
    const { maxBatch, maxBatchWork = Number.POSITIVE_INFINITY } = this.options
    const batch: Entry<Item, Result>[] = []
    let work = 0
    for (const entry of this.queue) {
      if (entry.bucket !== bucket) continue
      work += entry.work
      if (batch.length > 0 && work > maxBatchWork) return { batch, isFull: true }
      if (batch.push(entry) === maxBatch) return { batch, isFull: true }
    }
    return { batch, isFull: work >= maxBatchWork }
  }

  /** The next batch; none if all were aborted meanwhile. */
  private takeBatch(): Entry<Item, Result>[] {
    const oldest = this.queue[0]
    if (!oldest) return []
    const batch = new Set(this.companyOf(oldest).batch)
    this.queue = this.queue.filter((entry) => !batch.has(entry))
    return [...batch]
  }

  private async dispatch(batch: Entry<Item, Result>[], session: Session): Promise<void> {
    const givenMs = this.clock.nowMs()
    const items = batch.map(({ item }) => item)
    const run = async () => (items.length > 0 ? this.options.run(items, session) : [])
    const [result] = await Promise.allSettled([run()])
    const startedMs = Math.max(givenMs, this.options.sessions.releasedMs(session)) // it may have had another batch to do first
    this.options.sessions.release(session, this.clock.nowMs())
    const tookMs = this.clock.nowMs() - startedMs
    this.learnSpeed(batch, tookMs)
    if (batch.length > 0) {
      const waitsMs = batch.map(({ acceptedMs }) => startedMs - acceptedMs)
      this.options.onBatch?.(waitsMs, tookMs)
    }
    batch.forEach((entry, i) => {
      settle(entry, result.status === 'fulfilled' ? result.value[i] : result)
      this.finish(entry)
    })
  }

  private learnSpeed(batch: Entry<Item, Result>[], tookMs: number): void {
    if (batch.length === 0) return
    const speed = batch.reduce((sum, { cost }) => sum + cost, 0) / Math.max(1, tookMs)
    this.costPerMs = this.costPerMs ? this.costPerMs + SPEED_WEIGHT * (speed - this.costPerMs) : speed
  }

  private finish({ cost, unwatch }: Entry<Item, Result>): void {
    unwatch?.()
    this.load -= cost
    if (--this.unfinished > 0 || !this.closed) return
    for (const resolve of this.drained) resolve()
  }
}

function settle<Item, Result>(entry: Entry<Item, Result>, outcome: PromiseSettledResult<Result> | undefined): void {
  if (outcome?.status === 'fulfilled') entry.resolve(outcome.value)
  else entry.reject(outcome ? outcome.reason : new Error('The batch gave no outcome for an item.'))
}

function deadlineExceeded(signal: AbortSignal): DomainError {
  return new DomainError('deadline-exceeded', 'The request ended before its input was encoded.', {
    cause: signal.reason,
  })
}
