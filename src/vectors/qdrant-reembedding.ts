/**
 * Another model's vectors on Qdrant: a second named vector of the same points, filled while the first is searched. A point's new
 * vector is written only if the item is still the one that was read; an item that is written meanwhile comes without, and is
 * missing again. The windows are filled before the head, so a head with a vector is an item with all of them.
 */

import type { FilledItem, ItemToFill, ModelVectors, Reembedding, Refusal } from './maintenance.ts'
import { type QdrantCatalog, type Space, spacesOf } from './qdrant-catalog.ts'
import { IS_HEAD, TAILS_AT_ONCE } from './qdrant-collection.ts'
import type { QdrantFilter } from './qdrant-filter.ts'
import { type Head, headId, itemOf, tailIds } from './qdrant-points.ts'
import { PointGone, type QdrantServer } from './qdrant-server.ts'
import { noSuchCollection } from './store-errors.ts'

const ITEMS_A_PAGE = 200

export class QdrantReembedding implements Reembedding {
  readonly #server: QdrantServer
  readonly #catalog: QdrantCatalog
  readonly name: string
  readonly #space: Space

  private constructor(server: QdrantServer, catalog: QdrantCatalog, name: string, space: Space) {
    this.#server = server
    this.#catalog = catalog
    this.name = name
    this.#space = space
  }

  /** Only under the lock. @throws DomainError `not-found` (collection) */
  static async begin(server: QdrantServer, catalog: QdrantCatalog, name: string, target: ModelVectors) {
    const description = await catalog.describe(name)
    if (description === undefined) throw noSuchCollection(name)
    const spaces = spacesOf(description)
    const begun = spaceOf(spaces, target)
    const space: Space = begun ?? { vector: nextVector(spaces), ...target, complete: false }
    // Described first: what a process that dies in between leaves is a description, by which the next makes the same vector.
    if (begun === undefined) await catalog.redescribe(name, (before) => [...before, space])
    if (!(await server.info(name)).vectors.includes(space.vector))
      await server.addVector(await catalog.collectionOf(name), space.vector, space.embedDim)
    return new QdrantReembedding(server, catalog, name, space)
  }

  /** Where vectors of the model are complete, and not the only ones. */
  static async ofShared(server: QdrantServer, catalog: QdrantCatalog, name: string, target: ModelVectors) {
    const description = await catalog.describe(name)
    const spaces = description ? spacesOf(description) : []
    const space = spaceOf(spaces, target)
    if (spaces.length < 2 || !space?.complete) return undefined
    return new QdrantReembedding(server, catalog, name, space)
  }

  async count(): Promise<{ items: number; missing: number }> {
    const [items, missing] = await Promise.all([
      this.#server.points.count(this.name, { must: [IS_HEAD] }),
      this.#server.points.count(this.name, this.#unfilled()),
    ])
    return { items, missing }
  }

  async *missing(): AsyncIterable<ItemToFill> {
    for await (const head of this.#server.points.eachHead(this.name, this.#unfilled(), ITEMS_A_PAGE))
      yield { item: itemOf(head), revision: JSON.stringify({ write: head.write, segments: head.segments }) }
  }

  async fill(filled: readonly FilledItem[]): Promise<Refusal[]> {
    const refusals = await Promise.all(filled.map((each) => this.#fillItem(each)))
    return refusals.filter((refusal) => refusal !== undefined)
  }

  async #fillItem({ item: { id }, revision, points }: FilledItem): Promise<Refusal | undefined> {
    const { write, segments } = JSON.parse(revision) as Pick<Head, 'write' | 'segments'>
    if (segments.length !== points.length) return otherWindows(id, segments.length, points.length)
    const ids = [headId(id), ...tailIds({ item_id: id, write, segments })]
    const [head, ...tails] = points.map(({ vector }, i) => ({
      id: ids[i]!,
      vector: { [this.#space.vector]: Array.from(vector) },
    }))
    const update_filter: QdrantFilter = { must: [{ key: 'write', match: { value: write } }] }
    for (const some of [...chunksOf(tails, TAILS_AT_ONCE), [head!]]) {
      const written = this.#server.points.write(this.name, [{ update_vectors: { points: some, update_filter } }])
      if (await goneMeanwhile(written)) return undefined
    }
    return undefined
  }

  async complete(): Promise<boolean> {
    if ((await this.count()).missing > 0) return false
    const { vector } = this.#space
    await this.#catalog.redescribe(this.name, (spaces) => [
      ...spaces.filter((space) => space.vector !== vector),
      { ...this.#space, complete: true },
    ])
    return true
  }

  /** Described first: vectors that nobody describes are dropped the next time. */
  async dropOthers(): Promise<string[]> {
    const description = await this.#catalog.describe(this.name)
    const others = description ? spacesOf(description).filter(({ vector }) => vector !== this.#space.vector) : []
    if (others.length > 0)
      await this.#catalog.redescribe(this.name, (spaces) =>
        spaces.filter(({ vector }) => vector === this.#space.vector),
      )
    const { vectors } = await this.#server.info(this.name)
    for (const vector of vectors.filter((vector) => vector !== this.#space.vector))
      await this.#server.dropVector(await this.#catalog.collectionOf(this.name), vector)
    return others.map(({ model }) => model)
  }

  async close(): Promise<void> {}

  #unfilled(): QdrantFilter {
    return { must: [IS_HEAD], must_not: [{ has_vector: this.#space.vector }] }
  }
}

/** The parts of a sound follow from its bytes; only a version that cuts them otherwise could meet others. */
function otherWindows(id: string, before: number, now: number): Refusal {
  return { id, why: `It was stored in ${before} windows and has ${now} now; put it again.` }
}

/** @returns whether a point was deleted before it was written to */
async function goneMeanwhile(written: Promise<void>): Promise<boolean> {
  try {
    await written
    return false
  } catch (error) {
    if (error instanceof PointGone) return true
    throw error
  }
}

function* chunksOf<T>(list: readonly T[], size: number): Generator<T[]> {
  for (let from = 0; from < list.length; from += size) yield list.slice(from, from + size)
}

const spaceOf = (spaces: readonly Space[], { model, embedDim }: ModelVectors): Space | undefined =>
  spaces.find((space) => space.model === model && space.embedDim === embedDim)

function nextVector(spaces: readonly Space[]): string {
  const last = Math.max(...spaces.map(({ vector }) => Number(vector.slice(1))))
  return `v${last + 1}`
}
