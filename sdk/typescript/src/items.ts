/** `client.items`: texts, pictures and sounds that are kept in a collection. */
import type { Metadata } from './collections.ts'
import { bodyOf, contentOf, type Input } from './content.ts'
import type { components } from './contract.ts'
import { gather, parseLines } from './ndjson.ts'
import { type RequestOptions, type Transport, type WriteOptions, writeKeyOf } from './transport.ts'

type Schemas = components['schemas']
export type Item = Schemas['Item']
export type BatchResult = Schemas['BatchResult']
export type Filter = Schemas['Filter']

export interface NewItem {
  /** One is made, sortable by time, if absent. */
  id?: string
  input: Input
  metadata?: Metadata
}

export interface ListOptions {
  filter?: Filter
  /** Items a request: 1 to 1000, 100 by default. */
  pageSize?: number
}

/** What a request of a batch holds at most, well within the service's limits. */
const BATCH = { lines: 64, chars: 8 * 1024 * 1024 }

export class Items {
  readonly #transport: Transport

  constructor(transport: Transport) {
    this.#transport = transport
  }

  /** Embeds one thing and keeps it. @throws ProblemError `conflict` if the id is taken */
  async add(
    collection: string,
    input: Input,
    options: Omit<NewItem, 'input'> = {},
    request: WriteOptions = {},
  ): Promise<Item> {
    const body = await bodyOf({ contents: [input], options, json: ([input]) => ({ input }) })
    const params = { path: { collection } }
    const key = { 'idempotency-key': writeKeyOf(request) }
    const item = await this.#transport.send(request, ({ headers, ...init }) =>
      this.#transport.api.POST('/v1/collections/{collection}/items', {
        params,
        body: body as never,
        headers: { ...headers, ...key },
        ...init,
      }),
    )
    return item as Item
  }

  /** Creates or replaces. */
  async put(
    collection: string,
    id: string,
    input: Input,
    options: { metadata?: Metadata } = {},
    request: RequestOptions = {},
  ): Promise<Item> {
    const body = await bodyOf({ contents: [input], options, json: ([input]) => ({ input }) })
    const params = { path: { collection, id } }
    return this.#transport.send(request, (init) =>
      this.#transport.api.PUT('/v1/collections/{collection}/items/{id}', { params, body: body as never, ...init }),
    )
  }

  /** @throws ProblemError `not-found` */
  get(collection: string, id: string, request: RequestOptions = {}): Promise<Item> {
    const params = { path: { collection, id } }
    return this.#transport.send(request, (init) =>
      this.#transport.api.GET('/v1/collections/{collection}/items/{id}', { params, ...init }),
    )
  }

  /** Its unit vectors: one for each window of a long sound, else one. @throws ProblemError `not-found` */
  async embeddings(collection: string, id: string, request: RequestOptions = {}): Promise<number[][]> {
    const params = { path: { collection, id }, query: { include: 'embedding' as const } }
    const item = await this.#transport.send(request, (init) =>
      this.#transport.api.GET('/v1/collections/{collection}/items/{id}', { params, ...init }),
    )
    return item.embeddings!
  }

  /** @throws ProblemError `not-found` */
  async delete(collection: string, id: string, request: RequestOptions = {}): Promise<void> {
    const params = { path: { collection, id } }
    await this.#transport.send(request, (init) =>
      this.#transport.api.DELETE('/v1/collections/{collection}/items/{id}', { params, ...init }),
    )
  }

  /** All items in order of id, a page at a time as they are asked for. `timeoutMs` is for each page. */
  async *list(
    collection: string,
    { filter, pageSize }: ListOptions = {},
    request: RequestOptions = {},
  ): AsyncGenerator<Item> {
    let cursor: string | undefined
    do {
      const query = {
        ...(filter && { filter: JSON.stringify(filter) }),
        ...(pageSize !== undefined && { limit: pageSize }),
        ...(cursor !== undefined && { cursor }),
      }
      const page = await this.#transport.send(request, (init) =>
        this.#transport.api.GET('/v1/collections/{collection}/items', {
          params: { path: { collection }, query },
          ...init,
        }),
      )
      yield* page.items
      cursor = page.next_cursor
    } while (cursor !== undefined)
  }

  /**
   * Embeds and keeps many things: takes items as it has room for them, gives one result each, in order, as they finish; a bad
   * item fails alone (`status`, `error`). They travel in requests of up to 64; one whose connection breaks is sent again, and
   * what was kept before is not kept twice. `timeoutMs` is for each request.
   */
  async *batch(
    collection: string,
    items: AsyncIterable<NewItem> | Iterable<NewItem>,
    request: WriteOptions = {},
  ): AsyncGenerator<BatchResult> {
    const lineOf = async ({ input, ...rest }: NewItem) => JSON.stringify({ ...rest, input: await contentOf(input) })
    const key = writeKeyOf(request)
    let before = 0
    for await (const lines of gather(items, lineOf, BATCH)) {
      for await (const result of this.#resultsOf(collection, lines, `${key}.${before}`, request)) {
        yield { ...result, index: before + result.index }
      }
      before += lines.length
    }
  }

  /** Of a connection that breaks while results arrive, the next one gives the rest. */
  async *#resultsOf(
    collection: string,
    lines: string[],
    key: string,
    request: RequestOptions,
  ): AsyncGenerator<BatchResult> {
    let seen = 0
    for (let tries = 0; seen < lines.length; tries++) {
      try {
        for await (const result of parseLines<BatchResult>(await this.#sendLines(collection, lines, key, request))) {
          if (result.index < seen) continue
          seen++
          yield result
        }
        if (seen < lines.length) throw new TypeError(`The service answered ${seen} of ${lines.length} items.`)
      } catch (error) {
        if (!(error instanceof TypeError) || seen === 0 || tries >= this.#transport.retriesOf(request)) throw error
      }
    }
  }

  async #sendLines(
    collection: string,
    lines: string[],
    key: string,
    request: RequestOptions,
  ): Promise<ReadableStream<Uint8Array>> {
    const body = await this.#transport.send(request, ({ headers, ...init }) =>
      this.#transport.api.POST('/v1/collections/{collection}/items/batch', {
        params: { path: { collection } },
        headers: { ...headers, 'content-type': 'application/x-ndjson', 'idempotency-key': key },
        body: lines.join('\n') as never,
        bodySerializer: (text: unknown) => text,
        parseAs: 'stream',
        ...init,
      }),
    )
    return body!
  }

  /** The original bytes; the kind found in them is the Blob's type. @throws ProblemError `not-found` */
  media(collection: string, id: string, request: RequestOptions = {}): Promise<Blob> {
    const params = { path: { collection, id } }
    return this.#transport.send(request, (init) =>
      this.#transport.api.GET('/v1/collections/{collection}/items/{id}/media', { params, parseAs: 'blob', ...init }),
    )
  }

  /** A picture as WebP, shrunk to fit a square of `size` pixels (16 to 1024, 320 by default). */
  thumbnail(
    collection: string,
    id: string,
    query: { size?: number } = {},
    request: RequestOptions = {},
  ): Promise<Blob> {
    const params = { path: { collection, id }, query }
    return this.#transport.send(request, (init) =>
      this.#transport.api.GET('/v1/collections/{collection}/items/{id}/thumbnail', {
        params,
        parseAs: 'blob',
        ...init,
      }),
    )
  }
}
