/**
 * The embedded store: one Lance table a collection in a folder of its own. The only file that imports LanceDB. What lies in the
 * folder: lance-folder.ts; what is done with one table: lance-collection.ts.
 *
 * Writers of a collection run one after another; readers see the last committed version. Source: LanceDB 0.33 API.
 */
import { availableParallelism } from 'node:os'
import { basename, dirname } from 'node:path'
import { type Connection, connect, Index, Session } from '@lancedb/lancedb'
import { DomainError } from '../errors.ts'
import { Gate } from '../gate.ts'
import { Serial } from '../serial.ts'
import { DurableTree, fsyncPath } from './fsync-tree.ts'
import { type Indices, LanceCollection, type OpenTable } from './lance-collection.ts'
import { LanceFolder, TABLE } from './lance-folder.ts'
import { LanceReembedding, nothingToFill } from './lance-reembedding.ts'
import type { MaintainedStore, Migration, ModelVectors, Reembedding } from './maintenance.ts'
import { facts } from './migrations/0001-facts.ts'
import { manyNumbers } from './migrations/0004-many-numbers.ts'
import { collectionOf, factsVersionOf, type Row, schemaOf } from './rows.ts'
import type { Collection, Hit, ListQuery, NewCollection, NewItem, SearchQuery, StoredItem } from './store.ts'
import { guarded, noSuchCollection, unavailable } from './store-errors.ts'

// Lance keeps two cores from its computations, for reading: of two it would leave one, and filters take half as long again.
// biome-ignore lint/style/noProcessEnv: Lance has no other setting for it, and reads this at its first search
process.env.LANCE_IO_CORE_RESERVATION ??= '0'

/** Each is used up by making one. */
const INDICES: Indices = {
  item_id: () => Index.btree(),
  vector: () => Index.ivfFlat({ distanceType: 'dot', numPartitions: 1 }),
}

/** With caches of its own, which go when it is closed. */
async function openTable(path: string): Promise<OpenTable> {
  const session = Session.default()
  const connection = await connect(dirname(path), { session })
  try {
    const table = await connection.openTable(basename(path, TABLE))
    return { table, cachedBytes: () => Number(session.sizeBytes()) }
  } finally {
    connection.close()
  }
}

export class LanceVectorStore implements MaintainedStore {
  readonly migrations: readonly Migration[] = [facts(this), manyNumbers(this)]
  readonly #folder: LanceFolder
  readonly #shared = { indices: INDICES, scans: new Gate(2 * availableParallelism()) }
  readonly #collections = new Map<string, Promise<LanceCollection>>()
  readonly #registry = new Serial()
  #connections: Promise<{ now: Connection; next: Connection }> | undefined

  /** @param dir folder of the tables; made at first use. Nothing is opened before. */
  constructor(dir: string) {
    this.#folder = new LanceFolder(dir)
  }

  async ready(): Promise<void> {
    await this.#connect()
  }

  createCollection(collection: NewCollection): Promise<Collection> {
    return this.#registry.run(async () => {
      const { now } = await this.#connect()
      if (await this.#find(collection.name)) {
        throw new DomainError('conflict', `A collection '${collection.name}' already exists.`)
      }
      await guarded(async () => (await now.createEmptyTable(collection.name, schemaOf(collection))).close())
      const created = await this.#open(collection.name)
      await fsyncPath(this.#folder.dir)
      return created.info()
    })
  }

  async listCollections(isWanted: (name: string) => boolean = () => true): Promise<Collection[]> {
    const names = (await this.names()).filter(isWanted)
    const open = await Promise.all(names.map((name) => this.#find(name)))
    return Promise.all(open.filter((collection) => collection !== undefined).map((collection) => collection.info()))
  }

  async getCollection(name: string): Promise<Collection | undefined> {
    return (await this.#find(name))?.info()
  }

  async describeCollection(name: string): Promise<NewCollection | undefined> {
    return (await this.#find(name))?.description
  }

  deleteCollection(name: string): Promise<boolean> {
    return this.#registry.run(async () => {
      if ((await this.#find(name)) === undefined) return false
      await this.#shut(name)
      await guarded(() => this.#folder.delete(name))
      return true
    })
  }

  async createItem(collection: string, item: NewItem): Promise<void> {
    return (await this.#need(collection)).create(item)
  }

  async putItem(collection: string, item: NewItem): Promise<StoredItem | undefined> {
    return (await this.#need(collection)).put(item)
  }

  async getItem(collection: string, id: string): Promise<StoredItem | undefined> {
    return (await this.#need(collection)).get(id)
  }

  async getVectors(collection: string, id: string): Promise<Float32Array[] | undefined> {
    return (await this.#need(collection)).vectors(id)
  }

  async deleteItem(collection: string, id: string): Promise<StoredItem | undefined> {
    return (await this.#need(collection)).delete(id)
  }

  async listItems(collection: string, query: ListQuery): Promise<StoredItem[]> {
    return (await this.#need(collection)).list(query)
  }

  async search(collection: string, query: SearchQuery): Promise<Hit[]> {
    return (await this.#need(collection)).search(query)
  }

  async referencedHashes(candidates?: readonly string[]): Promise<Set<string>> {
    const referenced = new Set<string>()
    for (const name of await this.names()) {
      const collection = await this.#find(name)
      for (const hash of (await collection?.referencedHashes(candidates)) ?? []) referenced.add(hash)
    }
    return referenced
  }

  async close(): Promise<void> {
    await this.#registry.drained()
    for (const name of [...this.#collections.keys()]) await this.#shut(name)
    const open = await this.#connections?.catch(() => undefined)
    open?.now.close()
    open?.next.close()
    this.#connections = undefined
  }

  /** The data folder's lock is all it takes: whoever has the folder open is alone. */
  exclusively<T>(task: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return this.#registry.run(() => task(new AbortController().signal))
  }

  async reembedding(name: string, target: ModelVectors): Promise<Reembedding> {
    const now = await this.#need(name)
    if (now.description.model === target.model && now.description.embedDim === target.embedDim)
      return nothingToFill(now)
    const description: NewCollection = { ...now.description, ...target }
    const next = await guarded(() => this.#openNext(description))
    const replace = async () => {
      await next.close()
      await this.#shut(name)
      await this.#folder.replace(name)
    }
    return new LanceReembedding(now, next, replace)
  }

  /** Nobody else writes. */
  async shared(): Promise<Reembedding[]> {
    return []
  }

  /** What another process began for the same model is gone on with; anything else in its place is begun anew. */
  async #openNext(description: NewCollection): Promise<LanceCollection> {
    const { name } = description
    const { next } = await this.#connect()
    if (await this.#folder.hasNext(name)) {
      const table = await next.openTable(name)
      const begun = collectionOf(await table.schema())
      table.close()
      if (JSON.stringify(begun) === JSON.stringify(description)) return this.#openTable(this.#folder.nextPath(name))
    }
    await this.#folder.deleteNext(name)
    ;(await next.createEmptyTable(name, schemaOf(description))).close()
    return this.#openTable(this.#folder.nextPath(name))
  }

  async factsVersion(name: string): Promise<number> {
    const { now } = await this.#connect()
    const table = await guarded(() => now.openTable(name))
    const schema = await table.schema()
    table.close()
    return factsVersionOf(schema)
  }

  /** The table written anew, a batch of rows (LanceDB's, 1,024) at a time, and only then in the old one's place. */
  async rewrite(name: string, change: (row: Row) => Row, onProgress?: (done: number, total: number) => void) {
    await this.#shut(name)
    const { now, next } = await this.#connect()
    await guarded(async () => {
      const from = await now.openTable(name)
      await this.#folder.deleteNext(name)
      const to = await next.createEmptyTable(name, schemaOf(collectionOf(await from.schema())))
      const total = await from.countRows()
      let done = 0
      for await (const batch of from.query()) {
        const rows = [...batch].map((row) => change(row.toJSON() as Row))
        await to.add(rows.map((row) => ({ ...row, vector: Array.from(row.vector!) })))
        done += rows.length
        onProgress?.(done, total)
      }
      from.close()
      to.close()
      await new DurableTree(this.#folder.nextPath(name)).sync()
      await this.#folder.replace(name)
    })
  }

  /** Opens the folder once; a failure is forgotten, so that the next call tries again. */
  #connect() {
    const open = async () => {
      await this.#folder.prepare()
      return { now: await connect(this.#folder.dir), next: await connect(this.#folder.nextDir) }
    }
    this.#connections ??= open().catch((error: unknown) => {
      this.#connections = undefined
      throw unavailable(error)
    })
    return this.#connections
  }

  async names(): Promise<string[]> {
    await this.#connect()
    return this.#folder.names()
  }

  async #find(name: string): Promise<LanceCollection | undefined> {
    const open = this.#collections.get(name)
    if (open) return open
    await this.#connect()
    if (!(await this.#folder.has(name))) return undefined
    return this.#collections.get(name) ?? this.#open(name)
  }

  #open(name: string): Promise<LanceCollection> {
    const opening = this.#connect()
      .then(() => this.#openTable(this.#folder.path(name)))
      .catch((error: unknown) => {
        this.#collections.delete(name)
        throw unavailable(error)
      })
    this.#collections.set(name, opening)
    return opening
  }

  #openTable(path: string): Promise<LanceCollection> {
    return LanceCollection.open(() => openTable(path), path, this.#shared)
  }

  /** Finishes what was begun with the table and closes it. */
  async #shut(name: string): Promise<void> {
    const open = await this.#collections.get(name)?.catch(() => undefined)
    this.#collections.delete(name)
    await open?.close()
  }

  async #need(name: string): Promise<LanceCollection> {
    const collection = await this.#find(name)
    if (collection === undefined) throw noSuchCollection(name)
    return collection
  }
}
