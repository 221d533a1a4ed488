/**
 * What the commands that change how a store lies ask of it, beyond what services do: `onepeace migrate` and `onepeace reembed`.
 * Both adapters fill it.
 */
import type { NewItem, Point, StoredItem, VectorStore } from './store.ts'

/** A numbered change of how collections lie. Applying it twice does no harm, and half of it can be gone on with. */
export interface Migration {
  /** `0001-…`, the name of its file. */
  id: string
  /** What it does, in a sentence without a full stop. */
  title: string
  /** Asked of the collections themselves, so that no ledger can be wrong about them. In order of name. */
  pending(): Promise<string[]>
  /** @param onProgress rows done and in all, where it takes time */
  apply(collection: string, onProgress?: (done: number, total: number) => void): Promise<void>
}

/** The vectors of one model. */
export interface ModelVectors {
  model: string
  /** D. */
  embedDim: number
}

/** An item without the new vectors, as it was read. */
export interface ItemToFill {
  item: StoredItem
  /** Changes with every write of the item. */
  revision: string
}

/** An item that cannot have the new vectors, and why, as a sentence. */
export interface Refusal {
  id: string
  why: string
}

export type FilledItem = ItemToFill & { points: readonly Point[] }

/** Another model's vectors being made for the items of a collection, beside those that serve. What is filled stays filled. */
export interface Reembedding {
  /** Of the collection. */
  name: string
  count(): Promise<{ items: number; missing: number }>
  /** Each item without the new vectors. Those written meanwhile may be among them, or left to the next round. */
  missing(): AsyncIterable<ItemToFill>
  /** Vectors for items; those that were changed or deleted since they were read are left as they are. */
  fill(filled: readonly FilledItem[]): Promise<Refusal[]>
  /** Makes the new vectors those that are searched, if no item lacks one. @returns whether it did */
  complete(): Promise<boolean>
  /** Deletes the vectors of all other models, once complete. @returns their models */
  dropOthers(): Promise<string[]>
  close(): Promise<void>
}

export interface MaintainedStore extends VectorStore {
  /** In order of number. */
  readonly migrations: readonly Migration[]
  /**
   * Runs the task while no other process runs one. Its signal is aborted should the right be lost.
   * @throws DomainError `vector-store-unavailable` if another goes on for too long
   */
  exclusively<T>(task: (signal: AbortSignal) => Promise<T>): Promise<T>
  /** Begins, or goes on with what another process began; only exclusively. @throws DomainError `not-found` (collection) */
  reembedding(collection: string, target: ModelVectors): Promise<Reembedding>
  /** Of the collections whose vectors of this model are complete, those that services with another model write to as well. */
  shared(target: ModelVectors): Promise<Reembedding[]>
}

/** The item with its new vectors, as a write. */
export function filledItem({ item, points }: FilledItem): NewItem {
  const { id, modality, sha256, payload } = item
  return { id, modality, sha256, payload, points }
}
