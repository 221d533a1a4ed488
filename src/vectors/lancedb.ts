/**
 * The embedded store: one Lance table a collection in a folder of its own. The only file that imports LanceDB.
 *
 *   <dir>/<collection>.lance/     columns of rows.ts; a write is one new table version, hence whole or absent
 *   <dir>/.trash/                 collections being deleted: moved here in one rename, then removed, at the latest at start
 *
 * Writers of a collection run one after another, items that wait meanwhile together; readers see the last committed version. Every write adds a small file,
 * so after some tens to hundreds of writes the table is compacted behind the writers. One process at a time may use the
 * folder (the data folder's lock sees to it).
 *
 * Search is exact, with or without an index: a large table has its vectors in an IVF index too, of which every partition is
 * searched. What that saves is reading them from files again; rows that are not in the index yet are scanned beside it.
 * Source: LanceDB 0.33 API; Lance table format (versioned manifests, fragments, deletion files).
 */
import { randomUUID } from 'node:crypto'
import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type Connection, connect, Index, type Table } from '@lancedb/lancedb'
import { DomainError } from '../errors.ts'
import { Gathering } from '../gathering.ts'
import { Serial } from '../serial.ts'
import type { Filter } from './filter.ts'
import { filterSql } from './filter-sql.ts'
import { DurableTree, fsyncPath } from './fsync-tree.ts'
import {
  collectionOf,
  compareIds,
  factsOfPayload,
  hitOf,
  ITEM_COLUMNS,
  itemsOf,
  type Row,
  rowsOf,
  schemaOf,
  scoreOf,
} from './rows.ts'
import { sqlIn, sqlString } from './sql.ts'
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

const TABLE_SUFFIX = '.lance'
const TRASH = '.trash'
/** Writes between compactions: few enough that a scan opens few files, more for large tables, which cost more to rewrite. */
const MIN_WRITES_PER_COMPACTION = 64
const MAX_WRITES_PER_COMPACTION = 512
/** Items that wait while a version is written are written together as the next one. */
const SAVES_PER_VERSION = 64
/** From this size a scan for one id costs more than looking it up in an index. */
const ROWS_WORTH_AN_INDEX = 10_000
/** Parts of the vector index, all of which are searched: some for each core, few enough to cost nothing themselves. */
const PARTITIONS = 16
/** Versions younger than this may still be read by a query that began before the compaction. */
const KEEP_VERSIONS_MS = 60_000

interface Save {
  item: NewItem
  /** Else an id that is there is a conflict. */
  mayReplace: boolean
}

/** One open table. Created by `LanceVectorStore` only. */
class LanceCollection {
  readonly description: NewCollection
  readonly writers = new Serial()
  readonly #saves = new Gathering<Save, StoredItem | undefined>({
    serial: this.writers,
    max: SAVES_PER_VERSION,
    keyOf: ({ item }) => item.id,
    run: (saves) => this.#saveAll(saves),
  })
  readonly #table: Table
  readonly #files: DurableTree
  #writesSinceCompaction = 0
  #closed = false

  private constructor(description: NewCollection, table: Table, files: DurableTree) {
    this.description = description
    this.#table = table
    this.#files = files
  }

  static async open(table: Table, path: string): Promise<LanceCollection> {
    const files = new DurableTree(path)
    await files.sync()
    const collection = new LanceCollection(collectionOf(await table.schema()), table, files)
    const { fragmentStats } = await table.stats()
    collection.#countWrites(fragmentStats.numFragments)
    void collection.writers.run(() => collection.#index()).catch(() => undefined)
    return collection
  }

  async info(): Promise<Collection> {
    return { ...this.description, itemCount: await this.#read(() => this.#table.countRows('point = 0')) }
  }

  async create(item: NewItem): Promise<void> {
    await this.#saves.submit({ item, mayReplace: false })
  }

  put(item: NewItem): Promise<StoredItem | undefined> {
    return this.#saves.submit({ item, mayReplace: true })
  }

  /** Items of different ids as one table version. */
  async #saveAll(saves: readonly Save[]): Promise<PromiseSettledResult<StoredItem | undefined>[]> {
    this.#assertOpen()
    const there = await guarded(() => this.#findAll(saves.map(({ item }) => item.id)))
    const isTaken = ({ item, mayReplace }: Save) => !mayReplace && there.has(item.id)
    const items = saves.filter((save) => !isTaken(save)).map(({ item }) => item)
    if (items.length > 0) await this.#commit(() => this.#add(items, [...there.keys()]))
    return saves.map((save) => {
      const { id } = save.item
      if (!isTaken(save)) return { status: 'fulfilled', value: there.get(id) }
      const reason = new DomainError('conflict', `The collection already has an item '${id}'.`)
      return { status: 'rejected', reason }
    })
  }

  /** Of items that are there, rows of the same point are updated, new points added, those that the new item lacks removed. */
  async #add(items: readonly NewItem[], there: readonly string[]): Promise<void> {
    const rows = items.flatMap(rowsOf)
    const replaced = items.map(({ id }) => id).filter((id) => there.includes(id))
    if (replaced.length === 0) return void (await this.#table.add(rows))
    await this.#table
      .mergeInsert(['item_id', 'point'])
      .whenMatchedUpdateAll()
      .whenNotMatchedInsertAll()
      .whenNotMatchedBySourceDelete({ where: sqlIn('item_id', replaced) })
      .execute(rows)
  }

  delete(id: string): Promise<StoredItem | undefined> {
    return this.#write(async () => {
      const deleted = await this.#find(id)
      if (deleted) await this.#table.delete(`item_id = ${sqlString(id)}`)
      return deleted
    })
  }

  get(id: string): Promise<StoredItem | undefined> {
    return this.#read(() => this.#find(id))
  }

  async #find(id: string): Promise<StoredItem | undefined> {
    return (await this.#findAll([id])).get(id)
  }

  async #findAll(ids: readonly string[]): Promise<Map<string, StoredItem>> {
    const rows = await this.#table.query().where(sqlIn('item_id', ids)).select(ITEM_COLUMNS).toArray()
    return new Map(itemsOf(rows as Row[]).map((item) => [item.id, item]))
  }

  vectors(id: string): Promise<Float32Array[] | undefined> {
    return this.#read(async () => {
      const query = this.#table.query().where(`item_id = ${sqlString(id)}`)
      const rows = (await query.select(['item_id', 'point', 'vector']).toArray()) as Row[]
      if (rows.length === 0) return undefined
      return rows.sort((a, b) => a.point - b.point).map((row) => Float32Array.from(row.vector!))
    })
  }

  list({ afterId, limit, filter }: ListQuery): Promise<StoredItem[]> {
    return this.#read(async () => {
      const after = afterId === undefined ? '' : ` AND item_id > ${sqlString(afterId)}`
      const page = await this.#table
        .query()
        .where(`point = 0${after}${andFilter(filter)}`)
        .select(['item_id'])
        .orderBy({ columnName: 'item_id', ascending: true })
        .limit(limit)
        .toArray()
      const ids = (page as Row[]).map((row) => row.item_id)
      if (ids.length === 0) return []
      const rows = await this.#table.query().where(sqlIn('item_id', ids)).select(ITEM_COLUMNS).toArray()
      return itemsOf(rows as Row[]).sort((a, b) => compareIds(a.id, b.id))
    })
  }

  /** Points come best first; more are fetched until enough different items are among them, or no point is left. */
  search(query: SearchQuery): Promise<Hit[]> {
    return this.#read(async () => {
      const wanted = query.offset + query.limit
      for (let points = wanted * 2; ; points *= 4) {
        const rows = await this.#nearest(query, points)
        const best = new Map<string, Row>()
        for (const row of rows) {
          const key = query.eachSegment ? `${row.point}/${row.item_id}` : row.item_id
          if (!best.has(key)) best.set(key, row)
        }
        if (best.size < wanted && rows.length === points) continue
        return [...best.values()]
          .filter((row) => scoreOf(row) >= (query.scoreThreshold ?? -1))
          .sort((a, b) => scoreOf(b) - scoreOf(a) || compareIds(a.item_id, b.item_id) || a.point - b.point)
          .slice(query.offset, wanted)
          .map(hitOf)
      }
    })
  }

  async #nearest(query: SearchQuery, points: number): Promise<Row[]> {
    const columns = [...ITEM_COLUMNS, '_distance', ...(query.withVector ? ['vector'] : [])]
    // Of unit vectors, 1 - dot is the cosine distance.
    const nearest = this.#table.vectorSearch(unitOf(query.vector)).distanceType('dot').nprobes(PARTITIONS)
    const search = nearest.select(columns).limit(points)
    const modalities = query.modalities ? sqlIn('modality', query.modalities) : 'true'
    const where = modalities + andFilter(query.filter)
    if (where !== 'true') search.where(where)
    return (await search.toArray()) as Row[]
  }

  referencedHashes(candidates?: readonly string[]): Promise<string[]> {
    return this.#read(async () => {
      const where = candidates ? `point = 0 AND ${sqlIn('sha256', candidates)}` : 'point = 0'
      const rows = await this.#table.query().where(where).select(['sha256']).toArray()
      return (rows as Row[]).map((row) => row.sha256)
    })
  }

  /** Refuses what comes from now on, finishes what was begun. */
  async close(): Promise<void> {
    this.#closed = true
    await this.writers.drained()
    this.#table.close()
  }

  #write<T>(task: () => Promise<T>): Promise<T> {
    return this.writers.run(() => {
      this.#assertOpen()
      return this.#commit(task)
    })
  }

  /** A new version of the table, on disk when it resolves. */
  async #commit<T>(task: () => Promise<T>): Promise<T> {
    const result = await guarded(task)
    await guarded(() => this.#files.sync())
    this.#countWrites(1)
    return result
  }

  async #read<T>(task: () => Promise<T>): Promise<T> {
    this.#assertOpen()
    try {
      return await guarded(task)
    } catch (error) {
      this.#assertOpen()
      throw error
    }
  }

  #assertOpen(): void {
    if (this.#closed) throw noSuchCollection(this.description.name)
  }

  #countWrites(writes: number): void {
    this.#writesSinceCompaction += writes
    if (this.#writesSinceCompaction < MIN_WRITES_PER_COMPACTION) return
    void this.writers.run(() => this.#compact()).catch(() => undefined)
  }

  /** Merges small files and drops old versions. A failure costs speed, not data: the next writes try again. */
  async #compact(): Promise<void> {
    if (this.#closed) return
    const rows = await this.#table.countRows()
    const due = Math.min(MAX_WRITES_PER_COMPACTION, Math.max(MIN_WRITES_PER_COMPACTION, rows / 200))
    if (this.#writesSinceCompaction < due) return
    this.#writesSinceCompaction = 0
    await this.#index()
    const cleanupOlderThan = new Date(Date.now() - KEEP_VERSIONS_MS)
    await this.#table.optimize({ cleanupOlderThan, deleteUnverified: true })
    await this.#files.sync()
  }

  /** Makes the indices that a large table lacks; later rows are added to them by each compaction. */
  async #index(): Promise<void> {
    if (this.#closed || (await this.#table.countRows()) < ROWS_WORTH_AN_INDEX) return
    const indexed = (await this.#table.listIndices()).flatMap(({ columns }) => columns)
    if (!indexed.includes('item_id')) await this.#table.createIndex('item_id', { config: Index.btree() })
    if (!indexed.includes('vector')) {
      const config = Index.ivfFlat({ distanceType: 'dot', numPartitions: PARTITIONS })
      await this.#table.createIndex('vector', { config })
    }
    await this.#files.sync()
  }
}

export class LanceVectorStore implements VectorStore {
  readonly #dir: string
  readonly #collections = new Map<string, Promise<LanceCollection>>()
  readonly #registry = new Serial()
  #connection: Promise<Connection> | undefined

  /** @param dir folder of the tables; made at first use. Nothing is opened before. */
  constructor(dir: string) {
    this.#dir = dir
  }

  async ready(): Promise<void> {
    await this.#connect()
  }

  createCollection(collection: NewCollection): Promise<Collection> {
    return this.#registry.run(async () => {
      const connection = await this.#connect()
      if (await this.#find(collection.name)) {
        throw new DomainError('conflict', `A collection '${collection.name}' already exists.`)
      }
      await guarded(async () => {
        const table = await connection.createEmptyTable(collection.name, schemaOf(collection))
        table.close()
      })
      const created = await this.#open(collection.name)
      await fsyncPath(this.#dir)
      return created.info()
    })
  }

  async listCollections(): Promise<Collection[]> {
    const open = await Promise.all((await this.#names()).map((name) => this.#find(name)))
    return Promise.all(open.filter((collection) => collection !== undefined).map((collection) => collection.info()))
  }

  async getCollection(name: string): Promise<Collection | undefined> {
    return (await this.#find(name))?.info()
  }

  deleteCollection(name: string): Promise<boolean> {
    return this.#registry.run(async () => {
      const collection = await this.#find(name)
      if (collection === undefined) return false
      this.#collections.delete(name)
      await collection.close()
      const grave = join(this.#dir, TRASH, randomUUID())
      await guarded(() => rename(this.#path(name), grave))
      await fsyncPath(this.#dir)
      await rm(grave, { recursive: true, force: true }).catch(() => undefined)
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
    for (const name of await this.#names()) {
      const collection = await this.#find(name)
      for (const hash of (await collection?.referencedHashes(candidates)) ?? []) referenced.add(hash)
    }
    return referenced
  }

  async close(): Promise<void> {
    await this.#registry.drained()
    const open = await Promise.allSettled(this.#collections.values())
    await Promise.all(open.map((result) => (result.status === 'fulfilled' ? result.value.close() : undefined)))
    this.#collections.clear()
    const connection = await this.#connection?.catch(() => undefined)
    connection?.close()
    this.#connection = undefined
  }

  /** Opens the folder once; a failure is forgotten, so that the next call tries again. */
  #connect(): Promise<Connection> {
    this.#connection ??= this.#openFolder().catch((error: unknown) => {
      this.#connection = undefined
      throw unavailable(error)
    })
    return this.#connection
  }

  async #openFolder(): Promise<Connection> {
    await rm(join(this.#dir, TRASH), { recursive: true, force: true })
    await mkdir(join(this.#dir, TRASH), { recursive: true })
    for (const name of await this.#tableFolders()) {
      if (!(await hasManifest(this.#path(name)))) await rm(this.#path(name), { recursive: true, force: true })
    }
    return connect(this.#dir)
  }

  async #names(): Promise<string[]> {
    await this.#connect()
    return this.#tableFolders()
  }

  async #tableFolders(): Promise<string[]> {
    const entries = await readdir(this.#dir, { withFileTypes: true })
    const folders = entries.filter((entry) => entry.isDirectory() && entry.name.endsWith(TABLE_SUFFIX))
    return folders.map((entry) => entry.name.slice(0, -TABLE_SUFFIX.length)).sort(compareIds)
  }

  #path(name: string): string {
    return join(this.#dir, name + TABLE_SUFFIX)
  }

  async #find(name: string): Promise<LanceCollection | undefined> {
    const open = this.#collections.get(name)
    if (open) return open
    await this.#connect()
    if (!(await hasManifest(this.#path(name)))) return undefined
    return this.#collections.get(name) ?? this.#open(name)
  }

  #open(name: string): Promise<LanceCollection> {
    const opening = this.#connect()
      .then(async (connection) => LanceCollection.open(await this.#upToDate(connection, name), this.#path(name)))
      .catch((error: unknown) => {
        this.#collections.delete(name)
        throw unavailable(error)
      })
    this.#collections.set(name, opening)
    return opening
  }

  /** Tables from before filters have no facts; they are written again with them, as one new version. */
  async #upToDate(connection: Connection, name: string): Promise<Table> {
    const table = await connection.openTable(name)
    const schema = await table.schema()
    if (schema.fields.some((field) => field.name === 'facts')) return table
    const rows = (await table.query().toArray()) as Row[]
    const whole = rows.map((row) => ({ ...row, vector: Array.from(row.vector!), facts: factsOfPayload(row.payload) }))
    table.close()
    const fresh = schemaOf(collectionOf(schema))
    if (whole.length === 0) return connection.createEmptyTable(name, fresh, { mode: 'overwrite' })
    return connection.createTable(name, whole, { mode: 'overwrite', schema: fresh })
  }

  async #need(name: string): Promise<LanceCollection> {
    const collection = await this.#find(name)
    if (collection === undefined) throw noSuchCollection(name)
    return collection
  }
}

function unitOf(vector: Float32Array): Float32Array {
  const norm = Math.hypot(...vector)
  return norm === 0 ? vector : vector.map((value) => value / norm)
}

/** A folder without a committed version is what a process killed while creating a collection left: never acknowledged. */
async function hasManifest(path: string): Promise<boolean> {
  const files = await readdir(join(path, '_versions')).catch(() => [])
  return files.some((file) => file.endsWith('.manifest'))
}

function noSuchCollection(name: string): DomainError {
  return new DomainError('not-found', `There is no collection '${name}'.`)
}

/** ` AND …`, or nothing. */
function andFilter(filter: Filter | undefined): string {
  const sql = filter && filterSql(filter)
  return sql === undefined ? '' : ` AND ${sql}`
}

async function guarded<T>(task: () => Promise<T>): Promise<T> {
  try {
    return await task()
  } catch (error) {
    throw unavailable(error)
  }
}

function unavailable(error: unknown): DomainError {
  if (error instanceof DomainError) return error
  return new DomainError(
    'vector-store-unavailable',
    'The vector store could not be read or written; try again shortly.',
    {
      cause: error,
      retryAfterS: 5,
    },
  )
}
