/** Which requests are made about the points of a collection; the client comes from qdrant-server.ts. */
import type { QdrantClient } from '@qdrant/js-client-rest'
import type { QdrantFilter } from './qdrant-filter.ts'
import { FILTER_FIELDS, type Head, type Operation, type Scored } from './qdrant-points.ts'
import { type Quantization, searchParams } from './qdrant-quantization.ts'

/** Makes a call that may be made twice on a collection or alias, given by our name and handed on as Qdrant's. @throws DomainError */
export type OnCollection = <T>(name: string, task: (at: string, client: QdrantClient) => Promise<T>) => Promise<T>

type RetrieveQuery = Parameters<QdrantClient['retrieve']>[1]
type Select = string[] | { exclude: string[] }

const IDS_AT_ONCE = 1000
const POINTS_A_PAGE = 5000
const HEAD_PAYLOAD = { with_payload: { exclude: FILTER_FIELDS }, with_vector: false }

export class QdrantPointCalls {
  readonly #on: OnCollection
  readonly #quantization: Quantization

  constructor(on: OnCollection, quantization: Quantization) {
    this.#on = on
    this.#quantization = quantization
  }

  async write(name: string, operations: Operation[]): Promise<void> {
    if (operations.length === 0) return
    await this.#on(name, (at, client) => client.batchUpdate(at, { operations, wait: true, ordering: 'strong' }))
  }

  async heads(name: string, ids: readonly string[]): Promise<Head[]> {
    return (await this.#retrieve(name, ids, HEAD_PAYLOAD)).map(({ payload }) => payload as unknown as Head)
  }

  /** The payload of one point, whatever it is. */
  async payload(name: string, id: string): Promise<Record<string, unknown> | undefined> {
    const [point] = await this.#retrieve(name, [id], { with_payload: true, with_vector: false })
    return point?.payload ?? undefined
  }

  /** Of the points that are there: their vectors by name. */
  async vectors(name: string, vector: string, ids: readonly string[]): Promise<Map<string, unknown>> {
    const points = await this.#retrieve(name, ids, { with_payload: false, with_vector: [vector] })
    return new Map(points.map((point) => [String(point.id), point.vector]))
  }

  async #retrieve(name: string, ids: readonly string[], select: Pick<RetrieveQuery, 'with_payload' | 'with_vector'>) {
    const points: Awaited<ReturnType<QdrantClient['retrieve']>> = []
    for (let from = 0; from < ids.length; from += IDS_AT_ONCE) {
      const some = ids.slice(from, from + IDS_AT_ONCE)
      points.push(...(await this.#on(name, (at, client) => client.retrieve(at, { ids: some, ...select }))))
    }
    return points
  }

  async nearest(
    name: string,
    using: string,
    { vector, withVector }: { vector: Float32Array; withVector?: boolean },
    filter: QdrantFilter,
    limit: number,
  ): Promise<Scored[]> {
    const query = {
      query: Array.from(vector),
      using,
      filter,
      limit,
      params: searchParams(this.#quantization),
      with_payload: HEAD_PAYLOAD.with_payload,
      with_vector: withVector ? [using] : false,
    }
    const { points } = await this.#on(name, (at, client) => client.query(at, query))
    return points as unknown as Scored[]
  }

  /** One field of every point that the filter accepts. */
  async *each(name: string, field: string, filter: QdrantFilter): AsyncIterable<string> {
    for await (const { payload } of this.#scroll(name, filter, [field])) yield payload?.[field] as string
  }

  async *eachHead(name: string, filter: QdrantFilter, pageSize: number): AsyncIterable<Head> {
    const { with_payload } = HEAD_PAYLOAD
    for await (const { payload } of this.#scroll(name, filter, with_payload, pageSize)) yield payload as unknown as Head
  }

  async *#scroll(name: string, filter: QdrantFilter, with_payload: Select, limit = POINTS_A_PAGE) {
    for (let offset: unknown; offset !== null; ) {
      const from = offset as string | undefined
      const select = { filter, limit, with_payload, with_vector: false }
      const page = await this.#on(name, (at, client) =>
        client.scroll(at, { ...select, ...(from !== undefined && { offset: from }) }),
      )
      yield* page.points
      offset = page.next_page_offset ?? null
    }
  }

  async count(name: string, filter: QdrantFilter): Promise<number> {
    return (await this.#on(name, (at, client) => client.count(at, { filter, exact: true }))).count
  }
}
