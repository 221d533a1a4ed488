/**
 * What Prometheus scrapes at `/metrics`. In: what happened (a request answered, a batch run, a call of the store). Out: text in
 * Prometheus' format 0.0.4. Labels take few values: route templates, never paths. The only file that imports prom-client.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { QueueDepth } from '../queue/queue.ts'

/** Seconds; from a text embedded by the small model to a long sound by the large one. */
const DURATIONS_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]
const BATCH_SIZES = [1, 2, 4, 8, 16, 32, 64]

export class Metrics {
  readonly #registry = new Registry()
  readonly #requests: Histogram<'method' | 'route' | 'status'>
  readonly #inFlight: Gauge
  readonly #queueWait: Histogram<'modality'>
  readonly #batchSize: Histogram<'modality'>
  readonly #inference: Histogram<'modality'>
  readonly #cache: Counter<'modality' | 'outcome'>
  readonly #rejected: Counter<'reason'>
  readonly #store: Histogram<'operation'>

  readonly #jobLines: Counter<'outcome'>

  /** @param ofProcess whether to tell of memory, event loop and garbage collection too: once a process */
  constructor({ ofProcess = false } = {}) {
    const registers = [this.#registry]
    const histogram = <L extends string>(name: string, help: string, labelNames: L[], buckets = DURATIONS_S) =>
      new Histogram({ name, help, labelNames, buckets, registers })
    this.#requests = histogram('http_request_duration_seconds', 'From a request to its answer.', [
      'method',
      'route',
      'status',
    ])
    this.#inFlight = new Gauge({ name: 'http_requests_in_flight', help: 'Requests not yet answered.', registers })
    this.#queueWait = histogram('onepeace_queue_wait_seconds', 'From an input to the batch it is in.', ['modality'])
    this.#batchSize = histogram('onepeace_batch_size', 'Inputs of a batch.', ['modality'], BATCH_SIZES)
    this.#inference = histogram('onepeace_inference_duration_seconds', 'Of a batch.', ['modality'])
    this.#cache = new Counter({
      name: 'onepeace_cache_lookups_total',
      help: 'Inputs looked up among the embeddings remembered.',
      labelNames: ['modality', 'outcome'],
      registers,
    })
    this.#rejected = new Counter({
      name: 'onepeace_rejected_total',
      help: 'Requests answered with a problem, by its code.',
      labelNames: ['reason'],
      registers,
    })
    this.#store = histogram('onepeace_store_duration_seconds', 'Of a call of the vector store.', ['operation'])
    this.#jobLines = new Counter({
      name: 'onepeace_job_lines_total',
      help: 'Lines of jobs that have ended, in this process.',
      labelNames: ['outcome'],
      registers,
    })
    if (ofProcess) collectDefaultMetrics({ register: this.#registry })
  }

  /** Asked when somebody scrapes; what cannot be told then is left out. */
  watchJobs(depth: () => Promise<QueueDepth>, unfinished: () => Promise<number>): void {
    const registers = [this.#registry]
    async function tellDepth(this: Gauge<'state'>): Promise<void> {
      this.reset()
      const states = await depth().catch(() => ({}))
      for (const [state, parts] of Object.entries(states)) this.set({ state }, parts)
    }
    async function tellUnfinished(this: Gauge): Promise<void> {
      this.set(await unfinished().catch(() => Number.NaN))
    }
    new Gauge({
      name: 'onepeace_queue_parts',
      help: 'Parts of jobs in the queue.',
      labelNames: ['state'],
      registers,
      collect: tellDepth,
    })
    const help = 'Jobs that are not finished, of all tenants.'
    new Gauge({ name: 'onepeace_jobs_unfinished', help, registers, collect: tellUnfinished })
  }

  readonly jobLineEnded = (outcome: 'succeeded' | 'failed'): void => {
    this.#jobLines.inc({ outcome })
  }

  get contentType(): string {
    return this.#registry.contentType
  }

  text(): Promise<string> {
    return this.#registry.metrics()
  }

  requestBegan(): void {
    this.#inFlight.inc()
  }

  requestEnded(method: string, route: string, status: number, tookMs: number, problem?: string): void {
    this.#inFlight.dec()
    this.#requests.observe({ method, route, status: String(status) }, tookMs / 1000)
    if (problem !== undefined) this.#rejected.inc({ reason: problem })
  }

  /** @param modality or `head`, or `text_local` for texts that no encoder service was there for */
  readonly batchRan = (modality: string, waitsMs: readonly number[], tookMs: number): void => {
    for (const waitMs of waitsMs) this.#queueWait.observe({ modality }, waitMs / 1000)
    this.#batchSize.observe({ modality }, waitsMs.length)
    this.#inference.observe({ modality }, tookMs / 1000)
  }

  readonly cacheLookedUp = (modality: string, isHit: boolean): void => {
    this.#cache.inc({ modality, outcome: isHit ? 'hit' : 'miss' })
  }

  readonly storeCalled = (operation: string, tookMs: number): void => {
    this.#store.observe({ operation }, tookMs / 1000)
  }
}
