/**
 * The items of one collection in Qdrant, by way of the few operations on points that `PointAccess` names. How they lie:
 * qdrant-points.ts.
 *
 *   write      tails (new ids, seen by nobody yet), then in one batch: head → deletion of the tails of the head before
 *   read       the head says all but the vectors
 *   search     best points → heads of those that are windows of a sound → items
 *
 * Guaranteed: every reader sees an item as one write left it, whole; after a crash too. Of several creators of an id one wins,
 * those of other processes included. Writers of one item in one process run one after another. Not guaranteed: a put or
 * deletion in *another* process between a creation and its confirmation can make the creator hear `conflict`; two processes
 * that put one item at once both hear the item from before; and a process that dies within a write, or loses such a race,
 * leaves tails that take room but are never shown.
 */
import { randomUUID } from 'node:crypto'
import { DomainError } from '../errors.ts'
import { pointsFilter, type QdrantCondition, type QdrantFilter } from './qdrant-filter.ts'
import {
  type Head,
  headId,
  hitOf,
  isWhole,
  itemOf,
  type Operation,
  pointsOf,
  type QdrantPoint,
  type Scored,
  tailIds,
  vectorOf,
} from './qdrant-points.ts'
import { compareIds } from './rows.ts'
import type { Hit, ListQuery, NewItem, SearchQuery, StoredItem } from './store.ts'

/** What is asked of Qdrant about the points of one collection; each throws DomainErrors only. */
export interface PointAccess {
  /** Name of the vectors that are searched and written. */
  vectorName: string
  write(operations: Operation[]): Promise<void>
  heads(ids: readonly string[]): Promise<Head[]>
  vectors(ids: readonly string[]): Promise<Map<string, unknown>>
  nearest(query: SearchQuery, filter: QdrantFilter, limit: number): Promise<Scored[]>
  /** One field of every point that the filter accepts. */
  each(field: string, filter: QdrantFilter): AsyncIterable<string>
  count(filter: QdrantFilter): Promise<number>
}

export const IS_HEAD: QdrantCondition = { key: 'point', match: { value: 0 } }
/** Vectors in one request: 1,536 numbers as JSON are some 30 KB, and Qdrant takes 32 MB. */
export const TAILS_AT_ONCE = 256
/** Hashes in one filter. */
const HASHES_AT_ONCE = 1000
/** Times that the vectors of an item are sought while others replace it. */
const VECTOR_TRIES = 5
/** Points fetched at most so that equal scores at the end of a page are in order of id. */
const MOST_TIED = 10_000

export class QdrantCollection {
  readonly #points: PointAccess

  constructor(points: PointAccess) {
    this.#points = points
  }

  itemCount(): Promise<number> {
    return this.#points.count({ must: [IS_HEAD] })
  }

  async create(item: NewItem): Promise<void> {
    const taken = () => new DomainError('conflict', `The collection already has an item '${item.id}'.`)
    if (await this.#head(item.id)) throw taken()
    const write = randomUUID()
    const { head, tails } = pointsOf(item, write, this.#points.vectorName)
    await this.#writeTails(tails)
    await this.#points.write([{ upsert: { points: [head], update_mode: 'insert_only' } }])
    const winner = await this.#head(item.id)
    if (winner === undefined || winner.write === write) return
    await this.#points.write(deletions(tails.map(({ id }) => id)))
    throw taken()
  }

  async put(item: NewItem): Promise<StoredItem | undefined> {
    const before = await this.#head(item.id)
    const { head, tails } = pointsOf(item, randomUUID(), this.#points.vectorName)
    await this.#writeTails(tails)
    await this.#points.write([{ upsert: { points: [head] } }, ...deletions(before ? tailIds(before) : [])])
    return before && itemOf(before)
  }

  async #writeTails(tails: QdrantPoint[]): Promise<void> {
    for (let from = 0; from < tails.length; from += TAILS_AT_ONCE)
      await this.#points.write([{ upsert: { points: tails.slice(from, from + TAILS_AT_ONCE) } }])
  }

  async delete(id: string): Promise<StoredItem | undefined> {
    const head = await this.#head(id)
    if (head === undefined) return undefined
    await this.#points.write([...deletions([headId(id)]), ...deletions(tailIds(head))])
    return itemOf(head)
  }

  async get(id: string): Promise<StoredItem | undefined> {
    const head = await this.#head(id)
    return head && itemOf(head)
  }

  async vectors(id: string): Promise<Float32Array[] | undefined> {
    for (let tries = 1; tries <= VECTOR_TRIES; tries++) {
      const head = await this.#head(id)
      if (head === undefined) return undefined
      const ids = [headId(id), ...tailIds(head)]
      const found = await this.#points.vectors(ids)
      // Between the two reads the item may have been replaced, and with it the vector of its head.
      if (!ids.every((each) => found.has(each)) || (await this.#head(id))?.write !== head.write) continue
      if (ids.some((each) => isEmpty(found.get(each)))) throw notYet(id)
      return ids.map((each) => vectorOf(found.get(each)))
    }
    throw new DomainError('vector-store-unavailable', 'The item is being replaced too often to be read; try again.', {
      retryAfterS: 1,
    })
  }

  /** Reads all ids of the collection for each page: Qdrant sorts by numbers and dates, not by text. Only a page is kept. */
  async list({ afterId, limit, filter }: ListQuery): Promise<StoredItem[]> {
    let least: string[] = []
    const keepLeast = () => {
      least = [...new Set(least)].sort(compareIds).slice(0, limit)
    }
    for await (const id of this.#points.each('item_id', pointsFilter({ filter }, IS_HEAD))) {
      if (afterId !== undefined && compareIds(id, afterId) <= 0) continue
      if (least.push(id) >= 2 * limit + 1000) keepLeast()
    }
    keepLeast()
    const heads = await this.#points.heads(least.map(headId))
    return heads.map(itemOf).sort((a, b) => compareIds(a.id, b.id))
  }

  /** Points come best first; more are fetched until enough different hits are among them, or no point is left. */
  async search(query: SearchQuery): Promise<Hit[]> {
    const wanted = query.offset + query.limit
    for (let limit = wanted * 2; ; limit *= 4) {
      const points = await this.#points.nearest(query, pointsFilter(query), limit)
      const good = points.filter(({ score }) => score >= (query.scoreThreshold ?? -Infinity))
      const hits = this.#ranked(query, await this.#understood(good))
      const last = hits[wanted - 1]
      const tied = last !== undefined && points.at(-1)!.score === last.scored.score && limit < MOST_TIED
      // Of more points none could be a hit once there are fewer than asked for, or some below the threshold.
      if (good.length === limit && (last === undefined || tied)) continue
      return hits.slice(query.offset, wanted).map(({ head, scored }) => hitOf(head, scored))
    }
  }

  /** Each point with the head of its item; those of no item are left out. */
  async #understood(points: readonly Scored[]): Promise<Understood[]> {
    const windows = points.filter(({ payload }) => !isWhole(payload))
    const ids = new Set(windows.map(({ payload }) => headId(payload.item_id)))
    const heads = new Map((await this.#points.heads([...ids])).map((head) => [head.item_id, head]))
    return points.flatMap((scored) => {
      const { payload } = scored
      const head = isWhole(payload) ? payload : heads.get(payload.item_id)
      return head && head.write === payload.write ? [{ head, scored }] : []
    })
  }

  /** The best point of each hit, in the order of hits. */
  #ranked({ eachSegment }: SearchQuery, points: readonly Understood[]): Understood[] {
    const best = new Map<string, Understood>()
    const inOrder = [...points].sort(
      (a, b) =>
        b.scored.score - a.scored.score ||
        compareIds(a.head.item_id, b.head.item_id) ||
        a.scored.payload.point - b.scored.payload.point,
    )
    for (const each of inOrder) {
      const key = eachSegment ? `${each.scored.payload.point}/${each.head.item_id}` : each.head.item_id
      if (!best.has(key)) best.set(key, each)
    }
    return [...best.values()]
  }

  async referencedHashes(candidates: readonly string[] | undefined, into: Set<string>): Promise<void> {
    const filters: QdrantFilter[] = []
    for (let from = 0; from < (candidates?.length ?? 0); from += HASHES_AT_ONCE) {
      const any = [...new Set(candidates!.slice(from, from + HASHES_AT_ONCE))]
      filters.push({ must: [IS_HEAD, { key: 'sha256', match: { any } }] })
    }
    if (candidates === undefined) filters.push({ must: [IS_HEAD] })
    for (const filter of filters) for await (const hash of this.#points.each('sha256', filter)) into.add(hash)
  }

  async #head(id: string): Promise<Head | undefined> {
    return (await this.#points.heads([headId(id)]))[0]
  }
}

interface Understood {
  head: Head
  scored: Scored
}

const isEmpty = (named: unknown): boolean => Object.keys(named ?? {}).length === 0

/** A service with another model wrote the item; this one's comes to it soon. */
function notYet(id: string): DomainError {
  const message = `The item '${id}' has just been written by another model's service, and has no vector of this one yet; try again.`
  return new DomainError('vector-store-unavailable', message, { retryAfterS: 30 })
}

/** An empty list of points is no operation. */
const deletions = (points: string[]): Operation[] => (points.length > 0 ? [{ delete: { points } }] : [])
