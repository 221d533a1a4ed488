/** Collections: made for the loaded model, listed, deleted with everything in them. */
import { DomainError } from '../errors.ts'
import type { Collection, Payload, VectorStore } from '../vectors/store.ts'
import { noSuchCollection } from '../vectors/store-errors.ts'
import type { MediaKeeper } from './media-keeper.ts'
import type { ModelService } from './models.ts'
import { newAttempt, writtenOr } from './write-once.ts'

const LIST_PAGE = 1000

export class CollectionService {
  readonly #store: VectorStore
  readonly #models: ModelService
  readonly #keeper: MediaKeeper

  constructor(store: VectorStore, models: ModelService, keeper: MediaKeeper) {
    this.#store = store
    this.#models = models
    this.#keeper = keeper
  }

  /**
   * @param attempt of a request that may be sent again: what an earlier attempt of it made is its answer
   * @throws DomainError `conflict` if the name is taken, `payload-too-large` (metadata)
   */
  async create(name: string, metadata: Payload = {}, attempt = newAttempt()): Promise<Collection> {
    const { embedDim, name: model, limits } = this.#models.info
    assertMetadataFits(metadata, limits.maxMetadataBytes)
    const { createdAt, isRepeat } = attempt
    const own = async () => {
      const before = await this.#store.getCollection(name)
      return before?.createdAt === createdAt ? before : undefined
    }
    const before = isRepeat ? await own() : undefined
    if (before) return before
    const create = () => this.#store.createCollection({ name, embedDim, model, metadata, createdAt })
    return writtenOr(own, attempt, create)
  }

  list(): Promise<Collection[]> {
    return this.#store.listCollections()
  }

  /** @throws DomainError `not-found` */
  async get(name: string): Promise<Collection> {
    return found(await this.#store.getCollection(name), name)
  }

  /** That it is there, and its vectors are the loaded model's. @throws DomainError `not-found`, `conflict` (other model) */
  async assertUsable(name: string): Promise<void> {
    this.#models.assertMade(found(await this.#store.describeCollection(name), name))
  }

  /** @throws DomainError `not-found` */
  async delete(name: string): Promise<void> {
    const hashes = await this.#hashesOf(name)
    if (!(await this.#store.deleteCollection(name))) throw noSuchCollection(name)
    this.#keeper.releaseLater(hashes)
  }

  /** @throws DomainError with the reason, if the store cannot be used */
  ready(): Promise<void> {
    return this.#store.ready()
  }

  async #hashesOf(name: string): Promise<Set<string>> {
    const hashes = new Set<string>()
    for (let afterId: string | undefined; ; ) {
      const page = await this.#store.listItems(name, { limit: LIST_PAGE, ...(afterId !== undefined && { afterId }) })
      for (const item of page) hashes.add(item.sha256)
      if (page.length < LIST_PAGE) return hashes
      afterId = page.at(-1)!.id
    }
  }
}

/** Levels of objects and arrays in each other: more than anyone reads, fewer than a stack holds. */
const MAX_DEPTH = 32

/** @throws DomainError `not-found` */
function found<T>(collection: T | undefined, name: string): T {
  if (collection === undefined) throw noSuchCollection(name)
  return collection
}

/** @throws DomainError `payload-too-large` (bytes), `invalid-request` (depth) */
export function assertMetadataFits(metadata: Payload, maxBytes: number): void {
  if (isDeeper(metadata, MAX_DEPTH)) {
    throw new DomainError('invalid-request', `The metadata is nested more than ${MAX_DEPTH} deep; flatten it.`)
  }
  const bytes = Buffer.byteLength(JSON.stringify(metadata))
  if (bytes <= maxBytes) return
  throw new DomainError('payload-too-large', `The metadata is ${bytes} bytes of JSON; at most ${maxBytes} are kept.`)
}

function isDeeper(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  return depth === 0 || Object.values(value).some((member) => isDeeper(member, depth - 1))
}
