/**
 * Another model's vectors on the embedded store: a second table is filled beside the first, and takes its place when it has every
 * item. The first may have changed since a process that died began: what differs is filled anew, what is gone is dropped.
 */
import type { LanceCollection } from './lance-collection.ts'
import { type FilledItem, filledItem, type ItemToFill, type Reembedding, type Refusal } from './maintenance.ts'
import type { StoredItem } from './store.ts'

const ITEMS_A_PAGE = 1000

export class LanceReembedding implements Reembedding {
  readonly #now: LanceCollection
  readonly #next: LanceCollection
  readonly #replace: () => Promise<void>

  /** @param replace closes both tables and puts the second in the first one's place */
  constructor(now: LanceCollection, next: LanceCollection, replace: () => Promise<void>) {
    this.#now = now
    this.#next = next
    this.#replace = replace
  }

  get name(): string {
    return this.#now.description.name
  }

  async count(): Promise<{ items: number; missing: number }> {
    const { itemCount } = await this.#now.info()
    let missing = 0
    for await (const _ of this.missing()) missing++
    return { items: itemCount, missing }
  }

  async *missing(): AsyncIterable<ItemToFill> {
    for await (const page of pagesOf(this.#now)) {
      const filled = await this.#next.getAll(page.map(({ id }) => id))
      const done = new Map(filled.map((item) => [item.id, revisionOf(item)]))
      for (const item of page) {
        const revision = revisionOf(item)
        if (done.get(item.id) !== revision) yield { item, revision }
      }
    }
  }

  /** Nobody else writes: what was read is what is there. */
  async fill(filled: readonly FilledItem[]): Promise<Refusal[]> {
    await Promise.all(filled.map((each) => this.#next.put(filledItem(each)))) // those that wait are written together
    return []
  }

  async complete(): Promise<boolean> {
    for await (const _ of this.missing()) return false
    for await (const page of pagesOf(this.#next)) {
      const kept = new Set((await this.#now.getAll(page.map(({ id }) => id))).map(({ id }) => id))
      const gone = page.filter(({ id }) => !kept.has(id)).map(({ id }) => id)
      if (gone.length > 0) await this.#next.deleteAll(gone)
    }
    await this.#replace()
    return true
  }

  /** They went with the table that was replaced. */
  async dropOthers(): Promise<string[]> {
    return []
  }

  async close(): Promise<void> {
    await this.#next.close()
  }
}

/** For a collection whose vectors are the model's already. */
export function nothingToFill(now: LanceCollection): Reembedding {
  return {
    name: now.description.name,
    count: async () => ({ items: (await now.info()).itemCount, missing: 0 }),
    async *missing() {},
    fill: async () => [],
    complete: async () => true,
    dropOthers: async () => [],
    close: async () => undefined,
  }
}

/** All but the vectors, and the segments, which follow from the bytes. */
const revisionOf = ({ modality, sha256, payload }: StoredItem): string => JSON.stringify([modality, sha256, payload])

async function* pagesOf(collection: LanceCollection): AsyncIterable<StoredItem[]> {
  for (let afterId: string | undefined; ; ) {
    const page = await collection.list({ limit: ITEMS_A_PAGE, ...(afterId !== undefined && { afterId }) })
    if (page.length > 0) yield page
    if (page.length < ITEMS_A_PAGE) return
    afterId = page.at(-1)!.id
  }
}
