/**
 * One collection as a Lance table: its items, searched, listed and written. A write is one new table version, hence whole or absent.
 * Every write adds a small file, so after some tens to hundreds of writes the table is compacted behind the writers.
 *
 * Search is exact, with or without an index: a large table has its vectors in an IVF index too, of which every partition is
 * searched. What that saves is reading them from files again; rows that are not in the index yet are scanned beside it. How rows
 * lie: rows.ts. Source: LanceDB 0.33 API; Lance table format (versioned manifests, fragments, deletion files).
 */
import type { Index, Table } from '@lancedb/lancedb'
import type { Schema } from 'apache-arrow'
import { DomainError } from '../errors.ts'
import type { Gate } from '../gate.ts'
import { Gathering } from '../gathering.ts'
import { Serial } from '../serial.ts'
import { FACTS_VERSION } from './facts.ts'
import type { Filter } from './filter.ts'
import { filterSql } from './filter-sql.ts'
import { DurableTree } from './fsync-tree.ts'
import {
  collectionOf,
  compareIds,
  factsVersionOf,
  hitOf,
  ITEM_COLUMNS,
  itemsOf,
  type Row,
  rowsOf,
  scoreOf,
} from './rows.ts'
import { sqlIn, sqlString } from './sql.ts'
import type { Collection, Hit, ListQuery, NewCollection, NewItem, SearchQuery, StoredItem } from './store.ts'
import { guarded, noSuchCollection } from './store-errors.ts'

/** Writes between compactions where nobody searches, more for large tables, which cost more to rewrite. */
const MIN_WRITES_PER_COMPACTION = 16
const MAX_WRITES_PER_COMPACTION = 512
const ROWS_PER_WRITE = 1000
/**
 * What searches pay for rows that are not in the index yet, counted in files opened: some for looking beside it at all, one for each file.
 * Such a file costs 0.3 ms, a compaction 3 µs a row (2 cores).
 */
const FILES_FOR_LOOKING = 5
const ROWS_PER_FILE = 100
const MIN_FILES = 100
/** From this size a scan for one id costs more than looking it up in an index. */
const ROWS_WORTH_AN_INDEX = 10_000
/** All partitions of the vector index are searched, so that it has one; earlier versions made 16. */
const MOST_PARTITIONS = 16
/** Each part is searched by itself and cached by itself: what many small ones cost, all searches pay. */
const MAX_INDEX_PARTS = 8
/** Versions younger than this may still be read by a query that began before the compaction. */
const KEEP_VERSIONS_MS = 60_000

/** Of caches, beyond the vectors twice. */
const SPARE_CACHE_BYTES = 32 * 2 ** 20
/** Lance's, of a table: in it a folder for each part of an index, which is written before a version refers to it. */
const INDEX_FOLDER = '_indices'
/** Items that wait while a version is written are written together as the next one. */
const SAVES_PER_VERSION = 64

interface Save {
  item: NewItem
  /** Else an id that is there is a conflict. */
  mayReplace: boolean
}

/** What the tables of a store share. */
export interface Shared {
  indices: Indices
  /** Lance runs each scan on all cores: more at once are not faster, but hold memory and starve whoever else works here. */
  scans: Gate
}

/** A table with caches of its own. */
export interface OpenTable {
  table: Table
  /** What they hold now. */
  cachedBytes(): number
}

/** By column, what a large table is indexed with. */
export type Indices = Record<'item_id' | 'vector', () => Index>

/** One open table. Created by `LanceVectorStore` only. */
export class LanceCollection {
  readonly description: NewCollection
  readonly writers = new Serial()
  readonly #saves = new Gathering<Save, StoredItem | undefined>({
    serial: this.writers,
    max: SAVES_PER_VERSION,
    keyOf: ({ item }) => item.id,
    run: (saves) => this.#saveAll(saves),
  })
  #open: OpenTable
  readonly #openTable: () => Promise<OpenTable>
  readonly #files: DurableTree
  readonly #shared: Shared
  #rows = 0
  #writesSinceCompaction = 0
  /** By searches since the last compaction. */
  #openedFiles = 0
  #isCompacting = false
  #closed = false

  private constructor(
    description: NewCollection,
    open: OpenTable,
    openTable: () => Promise<OpenTable>,
    files: DurableTree,
    shared: Shared,
  ) {
    this.description = description
    this.#open = open
    this.#openTable = openTable
    this.#files = files
    this.#shared = shared
  }

  static async open(openTable: () => Promise<OpenTable>, path: string, shared: Shared): Promise<LanceCollection> {
    const files = new DurableTree(path, INDEX_FOLDER)
    await files.sync()
    const open = await openTable()
    const { table } = open
    const schema = await table.schema()
    const collection = new LanceCollection(collectionOf(schema), open, openTable, files, shared)
    assertCurrent(collection.description, schema)
    const { fragmentStats, numRows } = await table.stats()
    collection.#rows = numRows
    collection.#countWrites(fragmentStats.numFragments)
    void collection.writers.run(() => collection.#index(numRows)).catch(() => undefined)
    return collection
  }

  get #table(): Table {
    return this.#open.table
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
    const sought = saves.filter(({ item }) => !item.isNew).map(({ item }) => item.id)
    const rows = await guarded(() => this.#readRows(sought))
    const there = byId(rows)
    const isTaken = ({ item, mayReplace }: Save) => !mayReplace && there.has(item.id)
    const items = saves.filter((save) => !isTaken(save)).map(({ item }) => item)
    // If this throws nothing was added, and each is tried alone; not so where only the sync fails.
    if (items.length > 0) await guarded(() => this.#add(items, rows))
    const synced = items.length > 0 ? this.#synced() : undefined
    const [outcome] = await Promise.allSettled([synced])
    return saves.map((save) => {
      const { id } = save.item
      if (!isTaken(save)) return outcome.status === 'rejected' ? outcome : { status: 'fulfilled', value: there.get(id) }
      const reason = new DomainError('conflict', `The collection already has an item '${id}'.`)
      return { status: 'rejected', reason }
    })
  }

  /** Of items that are there, rows of the same point are updated, new points added, those that the new item lacks removed. */
  async #add(items: readonly NewItem[], there: readonly Row[]): Promise<void> {
    const rows = items.flatMap(rowsOf)
    const points = new Map(items.map((item) => [item.id, item.points.length]))
    const replaced = there.filter(({ item_id }) => points.has(item_id))
    if (replaced.length === 0) return void (await this.#table.add(rows))
    const merge = this.#table.mergeInsert(['item_id', 'point']).whenMatchedUpdateAll().whenNotMatchedInsertAll()
    const shrunk = new Set(replaced.filter((row) => row.point >= points.get(row.item_id)!).map((row) => row.item_id))
    // What may be removed is looked for in all rows, which costs as much as the rest.
    const where = sqlIn('item_id', [...shrunk])
    await (shrunk.size > 0 ? merge.whenNotMatchedBySourceDelete({ where }) : merge).execute(rows)
  }

  deleteAll(ids: readonly string[]): Promise<void> {
    return this.#write(async () => {
      await this.#table.delete(sqlIn('item_id', ids))
    })
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
    return byId(await this.#readRows([id])).get(id)
  }

  async #readRows(ids: readonly string[]): Promise<Row[]> {
    if (ids.length === 0) return []
    return (await this.#table.query().where(sqlIn('item_id', ids)).select(ITEM_COLUMNS).toArray()) as Row[]
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
    return this.#scan(async () => {
      const after = afterId === undefined ? '' : ` AND item_id > ${sqlString(afterId)}`
      const page = await this.#table
        .query()
        .where(`point = 0${after}${andFilter(filter)}`)
        .select(['item_id'])
        .orderBy({ columnName: 'item_id', ascending: true })
        .limit(limit)
        .toArray()
      return inOrder(await this.#readRows((page as Row[]).map((row) => row.item_id)))
    })
  }

  /** Those of the ids that are there, in order of id. */
  getAll(ids: readonly string[]): Promise<StoredItem[]> {
    return this.#read(async () => inOrder(await this.#readRows(ids)))
  }

  /** Points come best first; more are fetched until enough different items are among them, or no point is left. */
  search(query: SearchQuery): Promise<Hit[]> {
    return this.#scan(async () => {
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
    const nearest = this.#table.vectorSearch(unitOf(query.vector)).distanceType('dot').nprobes(MOST_PARTITIONS)
    const search = nearest.select(columns).limit(points)
    const modalities = query.modalities ? sqlIn('modality', query.modalities) : 'true'
    const where = modalities + andFilter(query.filter)
    if (where !== 'true') search.where(where)
    const rows = (await search.toArray()) as Row[]
    if (this.#writesSinceCompaction > 0) this.#openedFiles += FILES_FOR_LOOKING + this.#writesSinceCompaction
    this.#compactIfDue()
    return rows
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
    if (this.#closed) return
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
    await this.#synced()
    return result
  }

  async #synced(): Promise<void> {
    await guarded(() => this.#files.sync())
    this.#countWrites(1)
  }

  #scan<T>(task: () => Promise<T>): Promise<T> {
    return this.#shared.scans.run(() => this.#read(task))
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
    this.#compactIfDue()
  }

  #compactIfDue(): void {
    if (!this.#isDue() || this.#isCompacting) return
    this.#isCompacting = true
    const compacted = this.writers.run(() => this.#compact()).catch(() => undefined)
    void compacted.then(() => {
      this.#isCompacting = false
    })
  }

  /** Once searches have paid for small files what a compaction costs, or there are many of them. */
  #isDue(): boolean {
    return (
      this.#writesSinceCompaction >= writesPerCompaction(this.#rows) ||
      this.#openedFiles >= Math.max(MIN_FILES, this.#rows / ROWS_PER_FILE)
    )
  }

  /** Merges small files and drops old versions. A failure costs speed, not data: the next writes try again. */
  async #compact(): Promise<void> {
    if (this.#closed || !this.#isDue()) return
    this.#writesSinceCompaction = 0
    this.#openedFiles = 0
    const rows = await this.#table.countRows()
    this.#rows = rows
    const cleanupOlderThan = new Date(Date.now() - KEEP_VERSIONS_MS)
    await this.#table.optimize({ cleanupOlderThan, deleteUnverified: true })
    await this.#files.sync()
    const isRemade = await this.#index(rows)
    if (isRemade || this.#open.cachedBytes() > this.#mostCachedBytes(rows)) await this.#refresh()
  }

  #mostCachedBytes(rows: number): number {
    return SPARE_CACHE_BYTES + 2 * rows * this.description.embedDim * Float32Array.BYTES_PER_ELEMENT
  }

  /**
   * What is cached of files that are gone would stay until gigabytes are full: opened anew, the table begins with nothing. Not
   * with every compaction: what is still there would be read again, and an old cache lives until JavaScript's garbage is
   * collected, as each search that was made with it holds it. A new index is nothing of what is cached.
   */
  async #refresh(): Promise<void> {
    const old = this.#table
    this.#open = await this.#openTable()
    old.close()
  }

  /**
   * Makes the indices that a large table lacks, and anew one that has come to lie in many parts: each compaction adds its rows as
   * a part. @returns whether it made one
   */
  async #index(rows: number): Promise<boolean> {
    if (this.#closed || rows < ROWS_WORTH_AN_INDEX) return false
    let isMade = false
    const there = await this.#table.listIndices()
    for (const [column, config] of Object.entries(this.#shared.indices)) {
      const name = there.find(({ columns }) => columns.includes(column))?.name
      const parts = name === undefined ? 0 : ((await this.#table.indexStats(name))?.numIndices ?? 1)
      if (parts > 0 && parts <= MAX_INDEX_PARTS) continue
      await this.#table.createIndex(column, { config: config() })
      await this.#files.sync()
      isMade = true
    }
    return isMade
  }
}

/** Of a table of so many rows. */
function writesPerCompaction(rows: number): number {
  return Math.min(MAX_WRITES_PER_COMPACTION, Math.max(MIN_WRITES_PER_COMPACTION, rows / ROWS_PER_WRITE))
}

function byId(rows: Row[]): Map<string, StoredItem> {
  return new Map(itemsOf(rows).map((item) => [item.id, item]))
}

function inOrder(rows: Row[]): StoredItem[] {
  return itemsOf(rows).sort((a, b) => compareIds(a.id, b.id))
}

function unitOf(vector: Float32Array): Float32Array {
  const norm = Math.hypot(...vector)
  return norm === 0 ? vector : vector.map((value) => value / norm)
}

/** Start-up migrates; only who opens a store without that meets an older table. */
function assertCurrent({ name }: NewCollection, schema: Schema): void {
  const version = factsVersionOf(schema)
  if (version === FACTS_VERSION) return
  const who =
    version < FACTS_VERSION
      ? 'an older version left it; run `onepeace migrate apply`'
      : 'a newer version left it; use that'
  const message = `The collection '${name}' lies as ${who}.`
  throw new DomainError('vector-store-unavailable', message)
}

/** ` AND …`, or nothing. */
function andFilter(filter: Filter | undefined): string {
  const sql = filter && filterSql(filter)
  return sql === undefined ? '' : ` AND ${sql}`
}
