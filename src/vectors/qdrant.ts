/**
 * The store on a Qdrant server. Which requests are made: qdrant-server.ts; which collections and vectors there are:
 * qdrant-catalog.ts; what items are: qdrant-collection.ts, and as points qdrant-points.ts.
 */
import { DomainError } from '../errors.ts'
import { KeyedSerial } from '../serial.ts'
import type { MaintainedStore, Migration, ModelVectors, Reembedding } from './maintenance.ts'
import { rangeIndexes } from './migrations/0002-range-indexes.ts'
import { quantization } from './migrations/0003-quantization.ts'
import { QdrantCatalog, type Space } from './qdrant-catalog.ts'
import { QdrantCollection } from './qdrant-collection.ts'
import { type LockTimes, QdrantLock } from './qdrant-lock.ts'
import { QdrantReembedding } from './qdrant-reembedding.ts'
import { type QdrantOptions, QdrantServer, UnknownVector, undefinedIfGone } from './qdrant-server.ts'
import type { Collection, Hit, ListQuery, NewCollection, NewItem, SearchQuery, StoredItem } from './store.ts'

export interface QdrantStoreOptions extends QdrantOptions {
  /** Whose vectors are asked for where a collection has several models'; else those that were completed last. */
  model?: string | undefined
  lockTimes?: LockTimes | undefined
}

export class QdrantVectorStore implements MaintainedStore {
  readonly server: QdrantServer
  readonly catalog: QdrantCatalog
  readonly migrations: readonly Migration[]
  readonly #lockTimes: LockTimes | undefined
  readonly #writers = new KeyedSerial()

  /** Connects at first use. */
  constructor({ model, lockTimes, ...options }: QdrantStoreOptions) {
    this.server = new QdrantServer(options)
    this.catalog = new QdrantCatalog(this.server, model)
    this.migrations = [rangeIndexes(this.server, this.catalog), quantization(this.server, this.catalog)]
    this.#lockTimes = lockTimes
  }

  ready(): Promise<void> {
    return this.server.ready()
  }

  async createCollection(collection: NewCollection): Promise<Collection> {
    await this.catalog.create(collection)
    return { ...collection, itemCount: 0 }
  }

  async listCollections(isWanted: (name: string) => boolean = () => true): Promise<Collection[]> {
    const names = (await this.catalog.names()).filter(isWanted)
    const found = await Promise.all(names.map((name) => this.getCollection(name)))
    return found.filter((each) => each !== undefined)
  }

  getCollection(name: string): Promise<Collection | undefined> {
    return undefinedIfGone(async () => {
      const collection = await this.catalog.get(name)
      return collection && { ...collection, itemCount: await this.#in(name, (items) => items.itemCount()) }
    })
  }

  describeCollection(name: string): Promise<NewCollection | undefined> {
    return this.catalog.get(name)
  }

  async deleteCollection(name: string): Promise<boolean> {
    return (await undefinedIfGone(() => this.catalog.delete(name))) ?? false
  }

  createItem(collection: string, item: NewItem): Promise<void> {
    return this.#write(collection, item.id, (items) => items.create(item))
  }

  putItem(collection: string, item: NewItem): Promise<StoredItem | undefined> {
    return this.#write(collection, item.id, (items) => items.put(item))
  }

  deleteItem(collection: string, id: string): Promise<StoredItem | undefined> {
    return this.#writers.run(`${collection}/${id}`, () => this.#in(collection, (items) => items.delete(id)))
  }

  getItem(collection: string, id: string): Promise<StoredItem | undefined> {
    return this.#in(collection, (items) => items.get(id))
  }

  getVectors(collection: string, id: string): Promise<Float32Array[] | undefined> {
    return this.#in(collection, (items) => items.vectors(id))
  }

  listItems(collection: string, query: ListQuery): Promise<StoredItem[]> {
    return this.#in(collection, (items) => items.list(query))
  }

  search(collection: string, query: SearchQuery): Promise<Hit[]> {
    return this.#in(collection, (items) => items.search(query))
  }

  async referencedHashes(candidates?: readonly string[]): Promise<Set<string>> {
    const referenced = new Set<string>()
    if (candidates?.length === 0) return referenced
    for (const name of await this.catalog.names())
      if ((await this.catalog.describe(name)) !== undefined)
        await undefinedIfGone(() => this.#in(name, (items) => items.referencedHashes(candidates, referenced)))
    return referenced
  }

  exclusively<T>(task: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return new QdrantLock(this.server, this.#lockTimes).run(task)
  }

  reembedding(collection: string, target: ModelVectors): Promise<Reembedding> {
    return QdrantReembedding.begin(this.server, this.catalog, collection, target)
  }

  async shared(target: ModelVectors): Promise<Reembedding[]> {
    const found: Reembedding[] = []
    for (const name of await this.catalog.names()) {
      const shared = await QdrantReembedding.ofShared(this.server, this.catalog, name, target)
      if (shared) found.push(shared)
    }
    return found
  }

  async close(): Promise<void> {
    await this.#writers.drained()
  }

  /** Writers of one item run one after another. */
  #write<T>(collection: string, id: string, task: (items: QdrantCollection) => Promise<T>): Promise<T> {
    return this.#writers.run(`${collection}/${id}`, async () => {
      await this.#assertOwnSpace(collection)
      return this.#in(collection, task)
    })
  }

  /** Vectors of a model never come among those of another, even if the collection changed hands a moment ago. */
  async #assertOwnSpace(collection: string): Promise<void> {
    const { model } = await this.catalog.space(collection)
    if (this.catalog.model === undefined || model === this.catalog.model) return
    const message = `The collection '${collection}' holds vectors of the model '${model}', not of '${this.catalog.model}'.`
    throw new DomainError('conflict', message)
  }

  /** Tries again, once, if the vectors are no longer those that were remembered. */
  async #in<T>(name: string, task: (items: QdrantCollection) => Promise<T>): Promise<T> {
    try {
      return await task(this.#collection(name, await this.catalog.space(name)))
    } catch (error) {
      if (error instanceof DomainError && error.code === 'not-found') this.catalog.forget(name)
      if (!(error instanceof UnknownVector)) throw error
      this.catalog.forget(name)
      return task(this.#collection(name, await this.catalog.space(name)))
    }
  }

  #collection(name: string, { vector }: Space): QdrantCollection {
    const { server } = this
    return new QdrantCollection({
      vectorName: vector,
      write: (operations) => server.points.write(name, operations),
      heads: (ids) => server.points.heads(name, ids),
      vectors: (ids) => server.points.vectors(name, vector, ids),
      nearest: (query, filter, limit) => server.points.nearest(name, vector, query, filter, limit),
      each: (field, filter) => server.points.each(name, field, filter),
      count: (filter) => server.points.count(name, filter),
    })
  }
}
