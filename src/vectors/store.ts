/**
 * The port between services and a vector database. In: items of one or more unit vectors with a payload. Out: items, and
 * hits of a cosine search grouped by item. Two adapters fill it: embedded LanceDB (`lancedb.ts`) and Qdrant (`qdrant.ts`); both
 * must pass `tests/contract/vector-store.ts`.
 *
 *   collection 1 ── * item 1 ── * point        a text or picture is one point, a long sound one point a window
 *
 * Every write that resolves is on disk, whole: a reader, or a process started after a crash, sees all of it or nothing.
 */
import type { Modality } from '../modality.ts'
import type { Filter } from './filter.ts'

/** A JSON object, kept verbatim. Filters look into its `metadata` (an object), and nowhere else. */
export type Payload = Record<string, unknown>

export interface NewCollection {
  /** `^[a-z0-9][a-z0-9_-]{0,62}$`; the caller has checked it. */
  name: string
  /** D, the width of every vector in it. */
  embedDim: number
  /** Name of the model that made the vectors; vectors of different models are not comparable. */
  model: string
  metadata: Payload
  /** ISO 8601, UTC. */
  createdAt: string
}

export interface Collection extends NewCollection {
  /** How many items (not points) it holds. */
  itemCount: number
}

/** Part of a sound that a vector stands for, in ms from its beginning. */
export interface Segment {
  startMs: number
  endMs: number
}

/** One unit vector float32 (D), and the part of the item it stands for if that is not the whole. */
export interface Point {
  vector: Float32Array
  segment?: Segment
}

export interface ItemRecord {
  /** Any well-formed Unicode string; unique in its collection. */
  id: string
  modality: Modality
  /** Lower-case hex SHA-256 of the original bytes, by which the blob store finds them. */
  sha256: string
  payload: Payload
}

export interface NewItem extends ItemRecord {
  /** At least one. */
  points: readonly Point[]
  /** Whether the id was made for this very write, so that nobody needs to look whether it is taken. */
  isNew?: boolean
}

export interface StoredItem extends ItemRecord {
  /** In the order given; empty when the one point stands for the whole item. */
  segments: Segment[]
}

export interface ListQuery {
  /** Only items whose id is greater in Unicode code point order. */
  afterId?: string
  limit: number
  /** Only items whose metadata it accepts. */
  filter?: Filter
}

export interface SearchQuery {
  /** float32 (D), need not be a unit vector. */
  vector: Float32Array
  limit: number
  offset: number
  /** All if absent. */
  modalities?: readonly Modality[]
  /** Only items whose metadata it accepts. */
  filter?: Filter
  /** Only hits with at least this cosine. */
  scoreThreshold?: number
  /** Whether each window of a long sound is a hit of its own; else an item is one hit, by its best window. */
  eachSegment?: boolean
  /** Whether hits bear the vector of their best point. */
  withVector?: boolean
}

/** An item, by the best of its points. */
export interface Hit extends ItemRecord {
  /** Cosine, -1 to 1. */
  score: number
  segment?: Segment
  vector?: Float32Array
}

export interface VectorStore {
  /** @throws DomainError `vector-store-unavailable` with the reason */
  ready(): Promise<void>
  /** @throws DomainError `conflict` if the name is taken */
  createCollection(collection: NewCollection): Promise<Collection>
  /** In order of name; those whose name is not wanted are not even opened. */
  listCollections(isWanted?: (name: string) => boolean): Promise<Collection[]>
  getCollection(name: string): Promise<Collection | undefined>
  /** The same without its size, which has to be counted: what every search and write asks for. */
  describeCollection(name: string): Promise<NewCollection | undefined>
  /** @returns whether there was one */
  deleteCollection(name: string): Promise<boolean>

  /** Insert only. @throws DomainError `conflict` if the id is taken, `not-found` without such a collection */
  createItem(collection: string, item: NewItem): Promise<void>
  /** Create or replace in one step. @returns what it replaced. @throws DomainError `not-found` (collection) */
  putItem(collection: string, item: NewItem): Promise<StoredItem | undefined>
  /** @throws DomainError `not-found` (collection) */
  getItem(collection: string, id: string): Promise<StoredItem | undefined>
  /** Its vectors in order of point. @throws DomainError `not-found` (collection) */
  getVectors(collection: string, id: string): Promise<Float32Array[] | undefined>
  /** @returns what it deleted. @throws DomainError `not-found` (collection) */
  deleteItem(collection: string, id: string): Promise<StoredItem | undefined>
  /** In code point order of id. @throws DomainError `not-found` (collection) */
  listItems(collection: string, query: ListQuery): Promise<StoredItem[]>
  /** Best first, an item at most once (but for `eachSegment`); equal scores in order of id. @throws DomainError `not-found` (collection) */
  search(collection: string, query: SearchQuery): Promise<Hit[]>

  /** Of the given hashes, those that some item of some collection refers to; all referred to if none are given. */
  referencedHashes(candidates?: readonly string[]): Promise<Set<string>>
  /** Finishes what was begun and frees what is held. */
  close(): Promise<void>
}
