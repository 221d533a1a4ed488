/**
 * Items: encode once, keep the original, store the vectors; read, list and delete them.
 * Order of a write: encode → bytes on disk → vectors and payload on disk → answer. A crash in between leaves at most bytes
 * that nothing refers to, which the next start sweeps.
 */
import type { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import type { BlobStore } from '../blobs/blob-store.ts'
import { DomainError } from '../errors.ts'
import type { Modality } from '../modality.ts'
import type { ByteRange } from '../objects/object-store.ts'
import type { Filter } from '../vectors/filter.ts'
import type { NewItem, Payload, Segment, StoredItem, VectorStore } from '../vectors/store.ts'
import { assertMetadataFits, type CollectionService } from './collections.ts'
import type { Content, ContentEncoder, ContentPart, LocalPart, MediaInfo } from './content.ts'
import type { MediaKeeper } from './media-keeper.ts'
import type { ModelService } from './models.ts'
import { type Attempt, newAttempt, writtenOr } from './write-once.ts'

export interface Item {
  id: string
  modality: Modality
  sha256: string
  bytes: number
  media: MediaInfo
  truncated: boolean
  /** Empty unless the item is a sound of several windows. */
  segments: Segment[]
  metadata: Payload
  createdAt: string
}

export interface ItemDraft {
  content: Content
  metadata?: Payload | undefined
}

export interface OriginalMedia {
  sha256: string
  bytes: number
  mimeType: string
  /** The bytes from `start` to `end`, both included. @throws DomainError `not-found` (deleted meanwhile), `vector-store-unavailable` */
  read(range?: ByteRange): Promise<Readable>
}

export interface Thumbnail {
  sha256: string
  /** WebP that fits a square of `sidePx`. */
  read(sidePx: number, signal?: AbortSignal): Promise<Buffer>
}

export interface ItemServiceDeps {
  content: ContentEncoder
  store: VectorStore
  blobs: BlobStore
  keeper: MediaKeeper
  collections: CollectionService
  models: ModelService
}

/** The part of an item's payload that is ours. */
interface ItemPayload extends Payload {
  bytes: number
  media: MediaInfo
  truncated: boolean
  metadata: Payload
  createdAt: string
  /** Which line of which job wrote it. */
  mark?: string
}

export class ItemService {
  readonly #deps: ItemServiceDeps

  constructor(deps: ItemServiceDeps) {
    this.#deps = deps
  }

  /**
   * @param id one is made if absent
   * @param attempt of a request that may be sent again: what an earlier attempt of it wrote is its answer
   * @throws DomainError `not-found` (collection), `conflict` (id taken), and those of `ContentEncoder.encodePart`
   */
  async create(
    collection: string,
    id: string | undefined,
    draft: ItemDraft,
    signal?: AbortSignal,
    attempt = newAttempt(),
  ): Promise<Item> {
    await this.#deps.collections.assertUsable(collection)
    const itemId = id ?? attempt.id
    const own = async () => {
      const before = await this.#deps.store.getItem(collection, itemId)
      if (before === undefined) return undefined
      if (isOwn(before, attempt)) return itemOf(before)
      throw new DomainError('conflict', `The collection already has an item '${itemId}'.`)
    }
    // A new id is only looked for to spare the encoding: the store refuses one that is taken itself.
    const isNew = id === undefined && !attempt.isKeyed
    const before = id !== undefined || attempt.isRepeat ? await own() : undefined
    if (before) return before
    const write = async (item: NewItem & StoredItem) => {
      await this.#deps.store.createItem(collection, { ...item, isNew })
      return undefined
    }
    return writtenOr(own, attempt, () => this.#write(itemId, draft, signal, write, attempt))
  }

  /** @returns the item, and whether there was none of this id. @throws DomainError as `create`, but for `conflict` */
  async put(collection: string, id: string, draft: ItemDraft, signal?: AbortSignal): Promise<[Item, boolean]> {
    await this.#deps.collections.assertUsable(collection)
    const before = await this.#deps.store.getItem(collection, id)
    let created = true
    const item = await this.#write(
      id,
      draft,
      signal,
      async (item) => {
        const replaced = await this.#deps.store.putItem(collection, item)
        created = replaced === undefined
        return replaced
      },
      before && { createdAt: itemOf(before).createdAt },
    )
    return [item, created]
  }

  async #write(
    id: string,
    { content, metadata = {} }: ItemDraft,
    signal: AbortSignal | undefined,
    store: (item: NewItem & StoredItem) => Promise<StoredItem | undefined>,
    { createdAt, mark }: Pick<Attempt, 'createdAt' | 'mark'> = newAttempt(),
  ): Promise<Item> {
    assertMetadataFits(metadata, this.#deps.models.info.limits.maxMetadataBytes)
    const keep = (part: LocalPart) => this.#keep(part, { id, metadata, createdAt, mark }, store, signal)
    return this.#deps.content.withLocal(onlyPart(content), keep, signal)
  }

  async #keep(
    part: LocalPart,
    { id, metadata, createdAt, mark }: { id: string; metadata: Payload; createdAt: string; mark?: string | undefined },
    store: (item: NewItem & StoredItem) => Promise<StoredItem | undefined>,
    signal: AbortSignal | undefined,
  ): Promise<Item> {
    const bytes = part.kind === 'text' ? Buffer.from(part.text) : part.bytes
    const { modality, points, media, truncated } = await this.#deps.content.encodePart(part, signal)
    signal?.throwIfAborted()
    const segments = points.map((point) => point.segment).filter((segment) => segment !== undefined)
    const payload: ItemPayload = {
      bytes: bytes.length,
      media,
      truncated,
      metadata,
      createdAt,
      ...(mark !== undefined && { mark }),
    }
    const item = await this.#deps.keeper.keep(bytes, async (sha256) => {
      const stored = { id, modality, sha256, payload, segments, points }
      return { stored, replaced: await store(stored) }
    })
    const { stored, replaced } = item
    if (replaced && replaced.sha256 !== stored.sha256) await this.#deps.keeper.release(replaced.sha256)
    return itemOf(stored)
  }

  /** @throws DomainError `not-found` */
  async get(collection: string, id: string): Promise<Item> {
    return itemOf(found(await this.#deps.store.getItem(collection, id), id))
  }

  /** Its unit vectors: one for each of its segments, or one. @throws DomainError `not-found` */
  async vectors(collection: string, id: string): Promise<Float32Array[]> {
    const vectors = await this.#deps.store.getVectors(collection, id)
    if (vectors === undefined) throw noSuchItem(id)
    return vectors
  }

  /** In code point order of id, those after `afterId`. @throws DomainError `not-found` (collection) */
  async list(
    collection: string,
    { limit, afterId, filter }: { limit: number; afterId?: string | undefined; filter?: Filter | undefined },
  ): Promise<{ items: Item[]; more: boolean }> {
    const query = { limit: limit + 1, ...(afterId !== undefined && { afterId }), ...(filter && { filter }) }
    const stored = await this.#deps.store.listItems(collection, query)
    return { items: stored.slice(0, limit).map(itemOf), more: stored.length > limit }
  }

  /** @throws DomainError `not-found` */
  async delete(collection: string, id: string): Promise<void> {
    const deleted = found(await this.#deps.store.deleteItem(collection, id), id)
    await this.#deps.keeper.release(deleted.sha256)
  }

  /** @throws DomainError `not-found` */
  async media(collection: string, id: string): Promise<OriginalMedia> {
    return this.#originalOf(await this.get(collection, id))
  }

  async #originalOf({ id, sha256, media: { mimeType } }: Item): Promise<OriginalMedia> {
    const { blobs } = this.#deps
    const there = <T>(found: T | undefined): T => {
      if (found === undefined) throw new DomainError('not-found', `The original of '${id}' is no longer there.`)
      return found
    }
    const bytes = there(await blobs.size(sha256))
    return { sha256, bytes, mimeType, read: async (range) => there(await blobs.read(sha256, range)) }
  }

  /** A small version of a picture. @throws DomainError `not-found` (also for what is no picture) */
  async thumbnail(collection: string, id: string): Promise<Thumbnail> {
    const item = await this.get(collection, id)
    if (item.modality !== 'image') {
      throw new DomainError('not-found', `The item '${id}' is ${item.modality}; only pictures have a thumbnail.`)
    }
    const { sha256, read } = await this.#originalOf(item)
    const { content } = this.#deps
    return { sha256, read: async (sidePx, signal) => content.thumbnail(await buffer(await read()), sidePx, signal) }
  }
}

/** An item has one original, hence one part; what several parts mean together is a question for search. */
function onlyPart(content: Content): ContentPart {
  const [part, ...others] = content
  if (part === undefined) throw new DomainError('unprocessable-content', 'The item is empty; give a text or a file.')
  if (others.length > 0 || part.weight <= 0) {
    const message = 'An item is exactly one text, picture or sound; weights and several parts belong to queries.'
    throw new DomainError('unprocessable-content', message)
  }
  return part
}

/** Whether an attempt that others may be at, too, wrote it. */
function isOwn({ payload }: StoredItem, { createdAt, isKeyed, mark }: Attempt): boolean {
  const written = payload as ItemPayload
  return isKeyed && written.createdAt === createdAt && written.mark === mark
}

function found(item: StoredItem | undefined, id: string): StoredItem {
  if (item === undefined) throw noSuchItem(id)
  return item
}

function noSuchItem(id: string): DomainError {
  return new DomainError('not-found', `The collection has no item '${id}'.`)
}

function itemOf({ id, modality, sha256, payload, segments }: StoredItem): Item {
  const { bytes, media, truncated, metadata, createdAt } = payload as ItemPayload
  return { id, modality, sha256, bytes, media, truncated, segments, metadata, createdAt }
}
