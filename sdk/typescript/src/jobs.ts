/** `client.jobs`: work that goes on after the answer. Imports of any length, and what is asked for without waiting. */
import { bodyOf, contentOf, type Input } from './content.ts'
import type { components } from './contract.ts'
import type { NewItem } from './items.ts'
import { type RequestOptions, type Transport, type WriteOptions, writeKeyOf } from './transport.ts'

type Schemas = components['schemas']
export type Job = Schemas['Job']
export type JobError = Schemas['JobError']
/** A picture or sound that the service fetches. */
export type ItemAt = Schemas['ImportUrl']

export interface WaitOptions extends RequestOptions {
  /** Between questions; 1,000 by default. */
  everyMs?: number
  /** Called with each answer. */
  onProgress?: (job: Job) => void
}

const PREFER = { prefer: 'respond-async' }
const DEFAULT_EVERY_MS = 1000

export class Jobs {
  readonly #transport: Transport

  constructor(transport: Transport) {
    this.#transport = transport
  }

  /**
   * Has any number of things embedded and kept. Resolves when the service has all of them on disk: a job.
   * @param source items, gathered in memory before they are sent; or a Blob of NDJSON, such as `openAsBlob(path)` of Node, which is not
   */
  async import(
    collection: string,
    source: Blob | AsyncIterable<NewItem | ItemAt> | Iterable<NewItem | ItemAt>,
    request: WriteOptions = {},
  ): Promise<Job> {
    const lines = source instanceof Blob ? source : await linesOf(source)
    const key = { 'idempotency-key': writeKeyOf(request) }
    return this.#transport.send(request, ({ headers, ...init }) =>
      this.#transport.api.POST('/v1/collections/{collection}/imports', {
        params: { path: { collection } },
        headers: { ...headers, ...key, 'content-type': 'application/x-ndjson' },
        body: lines as never,
        bodySerializer: (blob: unknown) => blob,
        ...init,
      }),
    )
  }

  /** As `client.embed`, without waiting: `result` of the finished job is the answer. */
  async embed(inputs: Input | readonly Input[], request: RequestOptions = {}): Promise<Job> {
    const contents = Array.isArray(inputs) ? (inputs as readonly Input[]) : [inputs as Input]
    const body = await bodyOf({ contents, json: (input) => ({ input }) })
    const answer = await this.#transport.send(request, ({ headers, ...init }) =>
      this.#transport.api.POST('/v1/embeddings', { body: body as never, headers: { ...headers, ...PREFER }, ...init }),
    )
    return answer as Job
  }

  /** As `client.items.add`, without waiting: `result` of the finished job is the item. */
  async add(
    collection: string,
    input: Input,
    options: Omit<NewItem, 'input'> = {},
    request: WriteOptions = {},
  ): Promise<Job> {
    const body = await bodyOf({ contents: [input], options, json: ([input]) => ({ input }) })
    const key = { 'idempotency-key': writeKeyOf(request) }
    const answer = await this.#transport.send(request, ({ headers, ...init }) =>
      this.#transport.api.POST('/v1/collections/{collection}/items', {
        params: { path: { collection } },
        body: body as never,
        headers: { ...headers, ...key, ...PREFER },
        ...init,
      }),
    )
    return answer as Job
  }

  /** @throws ProblemError `not-found` */
  get(id: string, request: RequestOptions = {}): Promise<Job> {
    const params = { path: { job: id } }
    return this.#transport.send(request, (init) => this.#transport.api.GET('/v1/jobs/{job}', { params, ...init }))
  }

  /** Asks until the job is finished, whichever way. `timeoutMs` is for each question; `signal` ends the waiting, not the job. */
  async wait(id: string, { everyMs = DEFAULT_EVERY_MS, onProgress, ...request }: WaitOptions = {}): Promise<Job> {
    for (;;) {
      const job = await this.get(id, request)
      onProgress?.(job)
      if (job.state !== 'queued' && job.state !== 'running') return job
      await new Promise((resolve) => setTimeout(resolve, everyMs))
    }
  }

  /** All, newest first, a page at a time as they are asked for. */
  async *list(request: RequestOptions = {}): AsyncGenerator<Job> {
    let cursor: string | undefined
    do {
      const params = { query: cursor === undefined ? {} : { cursor } }
      const page = await this.#transport.send(request, (init) =>
        this.#transport.api.GET('/v1/jobs', { params, ...init }),
      )
      yield* page.jobs
      cursor = page.next_cursor
    } while (cursor !== undefined)
  }

  /** Lines that failed, in order, those so far. @throws ProblemError `not-found` */
  async *errors(id: string, request: RequestOptions = {}): AsyncGenerator<JobError> {
    let cursor: string | undefined
    do {
      const params = { path: { job: id }, query: cursor === undefined ? {} : { cursor } }
      const page = await this.#transport.send(request, (init) =>
        this.#transport.api.GET('/v1/jobs/{job}/errors', { params, ...init }),
      )
      yield* page.errors
      cursor = page.next_cursor
    } while (cursor !== undefined)
  }

  /** What is kept stays. @returns the job as it is now. @throws ProblemError `not-found` */
  cancel(id: string, request: RequestOptions = {}): Promise<Job> {
    const params = { path: { job: id } }
    return this.#transport.send(request, (init) => this.#transport.api.DELETE('/v1/jobs/{job}', { params, ...init }))
  }
}

async function linesOf(source: AsyncIterable<NewItem | ItemAt> | Iterable<NewItem | ItemAt>): Promise<Blob> {
  const lines: string[] = []
  for await (const item of source) {
    const wire = 'url' in item ? item : { ...item, input: await contentOf(item.input) }
    lines.push(`${JSON.stringify(wire)}\n`)
  }
  return new Blob(lines)
}
