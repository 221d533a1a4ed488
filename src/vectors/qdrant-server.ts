/**
 * Which requests are made to a Qdrant server about collections, and the only file that imports its client; those about points are
 * in qdrant-point-calls.ts. In go names without the prefix, out come DomainErrors only. What the requests mean: for collections
 * qdrant-catalog.ts, for items qdrant-collection.ts.
 *
 * The client's traps, seen in 1.18: `createCollection` drops `metadata` (hence `api()`); it assumes port 6333 for https too and
 * forgets a path in the address; its version check is not awaited. Source: Qdrant's OpenAPI, client 1.18.
 */
import { createRequire } from 'node:module'
import type { QdrantClient } from '@qdrant/js-client-rest'
import { DomainError } from '../errors.ts'
import { CALL_LIMITS, type CallLimits, QdrantCalls, reasonOf, statusOf } from './qdrant-calls.ts'
import { type OnCollection, QdrantPointCalls } from './qdrant-point-calls.ts'
import { type Quantization, quantizationConfig } from './qdrant-quantization.ts'
import { noSuchCollection } from './store-errors.ts'

export interface QdrantOptions {
  /** http or https; without a port that of the scheme. */
  url: string
  apiKey?: string | undefined
  /** Before each collection's name. */
  prefix?: string | undefined
  limits?: CallLimits | undefined
  /** How vectors are kept small for searching; `none` by default. */
  quantization?: Quantization | undefined
}

/** Of version 1: the first with `update_mode` (qdrant/qdrant#7963). */
const LEAST_MINOR = 17
/** Of version 1: the first whose collections take further vectors. */
const LEAST_MINOR_FOR_VECTORS = 18

export interface CollectionInfo {
  metadata: Record<string, unknown>
  /** Names of its vectors. */
  vectors: string[]
  /** Indexed fields, with the type of the index. */
  indexes: Record<string, string>
  quantization: unknown
}

export type IndexSchema = 'integer' | 'float' | 'keyword'

/** A search or write named a vector that the collection does not have, or of another width: what was known of it is out of date. */
export class UnknownVector extends DomainError {
  constructor(cause: unknown) {
    super('vector-store-unavailable', 'The collection has just been changed; try again.', { cause, retryAfterS: 1 })
  }
}

/** A point whose vectors were to be written is not there. */
export class PointGone extends DomainError {
  constructor(cause: unknown) {
    super('conflict', 'The item has been changed or deleted meanwhile.', { cause })
  }
}

const require = createRequire(import.meta.url)

export class QdrantServer {
  readonly quantization: Quantization
  readonly points: QdrantPointCalls
  readonly #client: QdrantClient
  readonly #calls: QdrantCalls
  readonly #prefix: string
  #minor: number | undefined

  /** Connects at first use. */
  constructor({ url, apiKey, prefix = 'onepeace-', limits = CALL_LIMITS, quantization = 'none' }: QdrantOptions) {
    const { origin, pathname, port, protocol } = new URL(url)
    // Loaded here and not with this file: it takes a tenth of a service's start, and most services have no Qdrant server.
    const { QdrantClient: Client } = require('@qdrant/js-client-rest') as typeof import('@qdrant/js-client-rest')
    this.#client = new Client({
      url: origin,
      port: port ? Number(port) : protocol === 'https:' ? 443 : 80,
      prefix: pathname.replace(/\/+$/, ''),
      timeout: limits.attemptMs,
      checkCompatibility: false,
      ...(apiKey !== undefined && { apiKey }),
    })
    this.#calls = new QdrantCalls(limits)
    this.#prefix = prefix
    this.quantization = quantization
    this.points = new QdrantPointCalls((name, task) => this.#on(name, task), quantization)
  }

  async ready(): Promise<void> {
    await this.#calls.repeatable(() => this.#client.getCollections())
    await this.assertVersion()
  }

  /** An older server ignores `insert_only`: creating an item would replace another without a word. */
  async assertVersion(least = LEAST_MINOR): Promise<void> {
    this.#minor ??= minorOf((await this.#calls.repeatable(() => this.#client.versionInfo())).version)
    if (this.#minor >= least) return
    const minor = this.#minor
    this.#minor = undefined
    const sentence = `The Qdrant server is version ${minor < 0 ? '0' : `1.${minor}`}; it must be 1.${least} or later.`
    throw new DomainError('vector-store-unavailable', sentence)
  }

  /** Names of collections, aliases not among them. */
  async collections(): Promise<string[]> {
    const { collections } = await this.#calls.repeatable(() => this.#client.getCollections())
    return collections.flatMap(({ name }) => this.#bare(name))
  }

  /** Alias → collection. */
  async aliases(): Promise<Map<string, string>> {
    const { aliases } = await this.#calls.repeatable(() => this.#client.getAliases())
    const own = aliases.flatMap(({ alias_name, collection_name }) => {
      const [alias] = this.#bare(alias_name)
      const [collection] = this.#bare(collection_name)
      return alias !== undefined && collection !== undefined ? [[alias, collection] as const] : []
    })
    return new Map(own)
  }

  #bare(name: string): string[] {
    return name.startsWith(this.#prefix) ? [name.slice(this.#prefix.length)] : []
  }

  /** Another name for a collection; one that is taken is pointed there. */
  async alias(alias: string, collection: string): Promise<void> {
    const create_alias = { alias_name: this.#prefix + alias, collection_name: this.#prefix + collection }
    await this.#on(collection, () => this.#client.updateCollectionAliases({ actions: [{ create_alias }] }))
  }

  /** @returns false if the name is taken */
  async createCollection(
    name: string,
    vectors: Record<string, number>,
    metadata: Record<string, unknown>,
  ): Promise<boolean> {
    await this.assertVersion()
    const body = {
      collection_name: this.#prefix + name,
      vectors: Object.fromEntries(Object.entries(vectors).map(([vector, size]) => [vector, cosine(size)])),
      metadata,
      ...(this.quantization !== 'none' && { quantization_config: quantizationConfig(this.quantization) }),
    }
    return this.#calls.once(async () => {
      try {
        await this.#client.api().createCollection(body)
        return true
      } catch (error) {
        if (isTaken(error)) return false
        throw error
      }
    })
  }

  /** @param name of a collection or an alias */
  async info(name: string): Promise<CollectionInfo> {
    const { config, payload_schema } = await this.#on(name, (at) => this.#client.getCollection(at))
    return {
      metadata: (config as { metadata?: Record<string, unknown> | null }).metadata ?? {},
      vectors: Object.keys(config.params.vectors ?? {}),
      indexes: Object.fromEntries(Object.entries(payload_schema).map(([field, index]) => [field, index!.data_type])),
      quantization: config.quantization_config ?? null,
    }
  }

  /** @param collection not an alias */
  async describe(collection: string, metadata: Record<string, unknown>): Promise<void> {
    await this.#on(collection, (at) => this.#client.updateCollection(at, { metadata }))
  }

  /** @param collection not an alias */
  async quantize(collection: string): Promise<void> {
    const quantization_config =
      this.quantization === 'none' ? ('Disabled' as const) : quantizationConfig(this.quantization)
    await this.#on(collection, (at) => this.#client.updateCollection(at, { quantization_config }))
  }

  /** Doing it twice does no harm. @param collection not an alias */
  async addVector(collection: string, vector: string, size: number): Promise<void> {
    await this.assertVersion(LEAST_MINOR_FOR_VECTORS)
    await this.#on(collection, (at) => this.#client.createVectorName(at, vector, { dense: cosine(size) }, {}))
  }

  /** @param collection not an alias */
  async dropVector(collection: string, vector: string): Promise<void> {
    await this.#on(collection, (at) => this.#client.deleteVectorName(at, vector, {}))
  }

  /** Doing it twice does no harm. @param collection not an alias */
  async index(collection: string, field_name: string, field_schema: IndexSchema): Promise<void> {
    await this.#on(collection, (at) => this.#client.createPayloadIndex(at, { field_name, field_schema, wait: true }))
  }

  /** With everything in it, and its aliases. @param collection not an alias. @returns whether there was one */
  async deleteCollection(collection: string): Promise<boolean> {
    return this.#calls.once(() => this.#client.deleteCollection(this.#prefix + collection))
  }

  /** A call that may be made twice, on one collection. @throws DomainError `not-found` if Qdrant has no such collection */
  readonly #on: OnCollection = (name, task) => {
    return this.#calls.repeatable(() =>
      task(this.#prefix + name, this.#client).catch((error: unknown) => {
        throw understood(error, name)
      }),
    )
  }
}

const cosine = (size: number) => ({ size, distance: 'Cosine' as const })

/** The minor version of version 1; less than any for 0, more than any for 2. */
function minorOf(version: string): number {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major === 1 ? minor : major < 1 ? -1 : Infinity
}

function understood(error: unknown, name: string): unknown {
  const status = statusOf(error)
  if (status === 404) return /No point/i.test(reasonOf(error)) ? new PointGone(error) : noSuchCollection(name)
  if (status === 400 && /vector name|vector dimension/i.test(reasonOf(error))) return new UnknownVector(error)
  return error
}

/** Qdrant has said 409 for it and, earlier, 400. */
function isTaken(error: unknown): boolean {
  const status = statusOf(error)
  return status === 409 || (status === 400 && /already exists/i.test(reasonOf(error)))
}

/** Runs a task on a collection that another process may delete meanwhile. */
export async function undefinedIfGone<T>(task: () => Promise<T>): Promise<T | undefined> {
  try {
    return await task()
  } catch (error) {
    if (error instanceof DomainError && error.code === 'not-found') return undefined
    throw error
  }
}
