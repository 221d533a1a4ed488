/**
 * The store on a Qdrant server, and the only file that imports its client: which requests there are. What they mean for items
 * is in qdrant-collection.ts, how points lie in qdrant-points.ts.
 *
 *   Qdrant collection  <prefix><name>          one for each of ours; its metadata bears { onepeace: NewCollection as JSON text }
 *   points             one for each of ours, one named vector, cosine
 *
 * The client's traps, seen in 1.18: `createCollection` drops `metadata` (hence `api()`); it assumes port 6333 for https too and
 * forgets a path in the address; its version check is not awaited. Source: Qdrant's OpenAPI, client 1.18.
 */
import { QdrantClient } from '@qdrant/js-client-rest'
import { DomainError } from '../errors.ts'
import { KeyedSerial } from '../serial.ts'
import { CALL_LIMITS, type CallLimits, noSuchCollection, QdrantCalls, statusOf } from './qdrant-calls.ts'
import { type PointAccess, QdrantCollection } from './qdrant-collection.ts'
import type { QdrantFilter } from './qdrant-filter.ts'
import { FILTER_FIELDS, type Head, type Scored, VECTOR } from './qdrant-points.ts'
import { compareIds } from './rows.ts'
import type {
  Collection,
  Hit,
  ListQuery,
  NewCollection,
  NewItem,
  SearchQuery,
  StoredItem,
  VectorStore,
} from './store.ts'

export interface QdrantOptions {
  /** http or https; without a port that of the scheme. */
  url: string
  apiKey?: string | undefined
  /** Before each collection's name. */
  prefix?: string | undefined
  limits?: CallLimits | undefined
}

/** Of version 1: the first with `update_mode` (qdrant/qdrant#7963). */
const LEAST_MINOR = 17
const DESCRIPTION = 'onepeace'
const IDS_AT_ONCE = 1000
const POINTS_A_PAGE = 5000
const INDEXES = [
  ['item_id', 'keyword'],
  ['modality', 'keyword'],
  ['sha256', 'keyword'],
  ['facts', 'keyword'],
  ['point', 'integer'],
] as const

export class QdrantVectorStore implements VectorStore {
  readonly #client: QdrantClient
  readonly #calls: QdrantCalls
  readonly #prefix: string
  readonly #writers = new KeyedSerial()
  #isNewEnough = false

  /** Connects at first use. */
  constructor({ url, apiKey, prefix = 'onepeace-', limits = CALL_LIMITS }: QdrantOptions) {
    const { origin, pathname, port, protocol } = new URL(url)
    this.#client = new QdrantClient({
      url: origin,
      port: port ? Number(port) : protocol === 'https:' ? 443 : 80,
      prefix: pathname.replace(/\/+$/, ''),
      timeout: limits.attemptMs,
      checkCompatibility: false,
      ...(apiKey !== undefined && { apiKey }),
    })
    this.#calls = new QdrantCalls(limits)
    this.#prefix = prefix
  }

  async ready(): Promise<void> {
    await this.#calls.repeatable(() => this.#client.getCollections())
    await this.#assertVersion()
  }

  /** An older server ignores `insert_only`: creating an item would replace another without a word. */
  async #assertVersion(): Promise<void> {
    if (this.#isNewEnough) return
    const { version } = await this.#calls.repeatable(() => this.#client.versionInfo())
    const [major = 0, minor = 0] = version.split('.').map(Number)
    if (major < 1 || (major === 1 && minor < LEAST_MINOR))
      throw new DomainError(
        'vector-store-unavailable',
        `The Qdrant server is version ${version}; it must be 1.${LEAST_MINOR} or later.`,
      )
    this.#isNewEnough = true
  }

  async createCollection(collection: NewCollection): Promise<Collection> {
    await this.#assertVersion()
    const { name, embedDim } = collection
    const collection_name = this.#prefix + name
    const vectors = { [VECTOR]: { size: embedDim, distance: 'Cosine' as const } }
    const metadata = { [DESCRIPTION]: JSON.stringify(collection) }
    await this.#calls.once(() =>
      this.#client
        .api()
        .createCollection({ collection_name, vectors, metadata })
        .catch((error: unknown) => {
          throw isTaken(error) ? new DomainError('conflict', `A collection '${name}' already exists.`) : error
        }),
    )
    await this.#index(name)
    return { ...collection, itemCount: 0 }
  }

  /** Without its indexes a collection would be slow for ever: rather none than such a one. */
  async #index(name: string): Promise<void> {
    try {
      for (const [field_name, field_schema] of INDEXES)
        await this.#on(name, (at) => this.#client.createPayloadIndex(at, { field_name, field_schema, wait: true }))
    } catch (error) {
      await this.#client.deleteCollection(this.#prefix + name).catch(() => undefined)
      throw error
    }
  }

  async listCollections(): Promise<Collection[]> {
    const found = await Promise.all((await this.#names()).map((name) => this.getCollection(name)))
    return found.filter((each) => each !== undefined)
  }

  async #names(): Promise<string[]> {
    const { collections } = await this.#calls.repeatable(() => this.#client.getCollections())
    const own = collections.filter(({ name }) => name.startsWith(this.#prefix))
    return own.map(({ name }) => name.slice(this.#prefix.length)).sort(compareIds)
  }

  /** Others' collections whose name has our prefix bear no description: to us they are not there. */
  getCollection(name: string): Promise<Collection | undefined> {
    return undefinedIfGone(async () => {
      const { config } = await this.#on(name, (at) => this.#client.getCollection(at))
      const text = (config as { metadata?: Record<string, unknown> | null }).metadata?.[DESCRIPTION]
      if (typeof text !== 'string') return undefined
      return { ...(JSON.parse(text) as NewCollection), itemCount: await this.#collection(name).itemCount() }
    })
  }

  async deleteCollection(name: string): Promise<boolean> {
    if ((await this.getCollection(name)) === undefined) return false
    const deleted = await undefinedIfGone(() =>
      this.#calls.once(() => this.#client.deleteCollection(this.#prefix + name).catch(asNotFound(name))),
    )
    return deleted ?? false
  }

  createItem(collection: string, item: NewItem): Promise<void> {
    return this.#write(collection, item.id, (items) => items.create(item))
  }

  putItem(collection: string, item: NewItem): Promise<StoredItem | undefined> {
    return this.#write(collection, item.id, (items) => items.put(item))
  }

  deleteItem(collection: string, id: string): Promise<StoredItem | undefined> {
    return this.#write(collection, id, (items) => items.delete(id))
  }

  getItem(collection: string, id: string): Promise<StoredItem | undefined> {
    return this.#collection(collection).get(id)
  }

  getVectors(collection: string, id: string): Promise<Float32Array[] | undefined> {
    return this.#collection(collection).vectors(id)
  }

  listItems(collection: string, query: ListQuery): Promise<StoredItem[]> {
    return this.#collection(collection).list(query)
  }

  search(collection: string, query: SearchQuery): Promise<Hit[]> {
    return this.#collection(collection).search(query)
  }

  async referencedHashes(candidates?: readonly string[]): Promise<Set<string>> {
    const referenced = new Set<string>()
    if (candidates?.length === 0) return referenced
    for (const { name } of await this.listCollections())
      await undefinedIfGone(() => this.#collection(name).referencedHashes(candidates, referenced))
    return referenced
  }

  async close(): Promise<void> {
    await this.#writers.drained()
  }

  #write<T>(collection: string, id: string, task: (items: QdrantCollection) => Promise<T>): Promise<T> {
    return this.#writers.run(`${collection}/${id}`, () => task(this.#collection(collection)))
  }

  #collection(name: string): QdrantCollection {
    return new QdrantCollection(this.#pointsOf(name))
  }

  #pointsOf(name: string): PointAccess {
    return {
      write: async (operations) => {
        if (operations.length === 0) return
        await this.#on(name, (at) => this.#client.batchUpdate(at, { operations, wait: true, ordering: 'strong' }))
      },
      heads: async (ids) => {
        const select = { with_payload: { exclude: FILTER_FIELDS }, with_vector: false }
        return (await this.#retrieve(name, ids, select)).map(({ payload }) => payload as unknown as Head)
      },
      vectors: async (ids) => {
        const points = await this.#retrieve(name, ids, { with_payload: false, with_vector: [VECTOR] })
        return new Map(points.map(({ id, vector }) => [String(id), vector]))
      },
      nearest: (query, filter, limit) => this.#nearest(name, query, filter, limit),
      each: (field, filter) => this.#each(name, field, filter),
      count: async (filter) => (await this.#on(name, (at) => this.#client.count(at, { filter, exact: true }))).count,
    }
  }

  async #retrieve(name: string, ids: readonly string[], select: Pick<RetrieveQuery, 'with_payload' | 'with_vector'>) {
    const points: Awaited<ReturnType<QdrantClient['retrieve']>> = []
    for (let from = 0; from < ids.length; from += IDS_AT_ONCE) {
      const some = ids.slice(from, from + IDS_AT_ONCE)
      points.push(...(await this.#on(name, (at) => this.#client.retrieve(at, { ids: some, ...select }))))
    }
    return points
  }

  async #nearest(name: string, query: SearchQuery, filter: QdrantFilter, limit: number): Promise<Scored[]> {
    const { points } = await this.#on(name, (at) =>
      this.#client.query(at, {
        query: Array.from(query.vector),
        using: VECTOR,
        filter,
        limit,
        params: { exact: true },
        with_payload: { exclude: FILTER_FIELDS },
        with_vector: query.withVector ? [VECTOR] : false,
      }),
    )
    return points as unknown as Scored[]
  }

  async *#each(name: string, field: string, filter: QdrantFilter): AsyncIterable<string> {
    const select = { filter, limit: POINTS_A_PAGE, with_payload: [field], with_vector: false }
    for (let offset: unknown; offset !== null; ) {
      const from = offset as string | undefined
      const page = await this.#on(name, (at) =>
        this.#client.scroll(at, { ...select, ...(from !== undefined && { offset: from }) }),
      )
      for (const { payload } of page.points) yield payload?.[field] as string
      offset = page.next_page_offset ?? null
    }
  }

  /** A call that may be made twice, on one collection. @throws DomainError `not-found` if Qdrant has no such collection */
  #on<T>(name: string, task: (qdrantName: string) => Promise<T>): Promise<T> {
    return this.#calls.repeatable(() => task(this.#prefix + name).catch(asNotFound(name)))
  }
}

type RetrieveQuery = Parameters<QdrantClient['retrieve']>[1]

function asNotFound(name: string): (error: unknown) => never {
  return (error) => {
    throw statusOf(error) === 404 ? noSuchCollection(name) : error
  }
}

/** Qdrant has said 409 for it and, earlier, 400. */
function isTaken(error: unknown): boolean {
  const status = statusOf(error)
  if (status === 409) return true
  return status === 400 && /already exists/i.test(JSON.stringify((error as { data?: unknown }).data ?? ''))
}

async function undefinedIfGone<T>(task: () => Promise<T>): Promise<T | undefined> {
  try {
    return await task()
  } catch (error) {
    if (error instanceof DomainError && error.code === 'not-found') return undefined
    throw error
  }
}
