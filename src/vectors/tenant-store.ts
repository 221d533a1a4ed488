/**
 * One tenant's view of a store, itself a `VectorStore`: the one place where a tenant's names become those of the store. In and
 * out go the names the tenant gave; what other tenants have is not there, by list, by name or by conflict.
 *
 *   default   photos ⇄ photos           as it was before there were tenants
 *   acme      photos ⇄ acme.photos      no collection's name and no tenant's has a dot, so none can meet another
 *
 * Hashes are the exception: originals are shared by content, so what is referred to is asked of all.
 */
import { DomainError, type ErrorCode } from '../errors.ts'
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

const SEPARATOR = '.'

export class TenantVectorStore implements VectorStore {
  readonly #store: VectorStore
  /** Before each of the tenant's names; empty for the default tenant. */
  readonly #prefix: string

  /** @param tenant `^[a-z0-9][a-z0-9-]{0,31}$`, or undefined for the one whose names are plain */
  constructor(store: VectorStore, tenant: string | undefined) {
    this.#store = store
    this.#prefix = tenant === undefined ? '' : tenant + SEPARATOR
  }

  ready(): Promise<void> {
    return this.#store.ready()
  }

  async createCollection(collection: NewCollection): Promise<Collection> {
    const { name } = collection
    const stored = { ...collection, name: this.#storedName(name) }
    const created = this.#store.createCollection(stored)
    return this.#bare(await retold(created, 'conflict', `A collection '${name}' already exists.`))
  }

  async listCollections(): Promise<Collection[]> {
    const isOwn = (name: string) =>
      name.startsWith(this.#prefix) && !name.slice(this.#prefix.length).includes(SEPARATOR)
    return (await this.#store.listCollections(isOwn)).map((collection) => this.#bare(collection))
  }

  async getCollection(name: string): Promise<Collection | undefined> {
    const collection = await this.#store.getCollection(this.#storedName(name))
    return collection && this.#bare(collection)
  }

  async describeCollection(name: string): Promise<NewCollection | undefined> {
    const collection = await this.#store.describeCollection(this.#storedName(name))
    return collection && this.#bare(collection)
  }

  deleteCollection(name: string): Promise<boolean> {
    return this.#store.deleteCollection(this.#storedName(name))
  }

  createItem(collection: string, item: NewItem): Promise<void> {
    return this.#in(collection, (name) => this.#store.createItem(name, item))
  }

  putItem(collection: string, item: NewItem): Promise<StoredItem | undefined> {
    return this.#in(collection, (name) => this.#store.putItem(name, item))
  }

  getItem(collection: string, id: string): Promise<StoredItem | undefined> {
    return this.#in(collection, (name) => this.#store.getItem(name, id))
  }

  getVectors(collection: string, id: string): Promise<Float32Array[] | undefined> {
    return this.#in(collection, (name) => this.#store.getVectors(name, id))
  }

  deleteItem(collection: string, id: string): Promise<StoredItem | undefined> {
    return this.#in(collection, (name) => this.#store.deleteItem(name, id))
  }

  listItems(collection: string, query: ListQuery): Promise<StoredItem[]> {
    return this.#in(collection, (name) => this.#store.listItems(name, query))
  }

  search(collection: string, query: SearchQuery): Promise<Hit[]> {
    return this.#in(collection, (name) => this.#store.search(name, query))
  }

  referencedHashes(candidates?: readonly string[]): Promise<Set<string>> {
    return this.#store.referencedHashes(candidates)
  }

  /** The store is others' as well: whoever opened it closes it. */
  async close(): Promise<void> {}

  /** By the port, all that an operation on items does not find is the collection. */
  #in<T>(collection: string, operation: (storedName: string) => Promise<T>): Promise<T> {
    const done = operation(this.#storedName(collection))
    return retold(done, 'not-found', `There is no collection '${collection}'.`)
  }

  #storedName(name: string): string {
    if (name.includes(SEPARATOR)) throw new DomainError('invalid-request', `'${name}' is no name of a collection.`)
    return this.#prefix + name
  }

  #bare<T extends NewCollection>(collection: T): T {
    return { ...collection, name: collection.name.slice(this.#prefix.length) }
  }
}

/** The same error in words that do not bear the stored name. */
async function retold<T>(task: Promise<T>, code: ErrorCode, message: string): Promise<T> {
  try {
    return await task
  } catch (error) {
    throw error instanceof DomainError && error.code === code ? new DomainError(code, message) : error
  }
}
