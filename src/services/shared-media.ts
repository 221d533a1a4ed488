/**
 * Originals that several processes write and delete, in a bucket or a shared folder. Nobody deletes at once: another process may be
 * writing an item with the same bytes right now.
 *
 *   item gone ─► its hash on a list of the doomed ─► an hour later: no item refers to it, and its bytes are old ─► deleted
 *
 * Whoever keeps bytes that are there already writes them again if they are older than half an hour, so that what an item is about
 * to refer to is never old; and looks, once the item is written, whether they are still there. So bytes can be lost only if a
 * deletion is under way, between looking and deleting, for longer than all of a write of the same bytes takes.
 * Lists are never made from what is found in the store: a vector store that is another, or empty, must not doom anything.
 */
import { randomUUID } from 'node:crypto'
import { type BlobStore, sha256Of } from '../blobs/blob-store.ts'
import type { ObjectStore } from '../objects/object-store.ts'
import type { VectorStore } from '../vectors/store.ts'
import type { MediaKeeper } from './media-keeper.ts'

const GRACE_MS = 60 * 60 * 1000
/** Hashes asked about at once. */
const AT_ONCE = 1000

export class SharedMedia implements MediaKeeper {
  readonly #blobs: BlobStore
  readonly #store: Pick<VectorStore, 'referencedHashes'>
  /** Each object a list of hashes, one a line. */
  readonly #doomed: ObjectStore
  readonly #graceMs: number
  #releasing: Promise<void> = Promise.resolve()

  constructor(
    blobs: BlobStore,
    store: Pick<VectorStore, 'referencedHashes'>,
    doomed: ObjectStore,
    graceMs: number = GRACE_MS,
  ) {
    this.#blobs = blobs
    this.#store = store
    this.#doomed = doomed
    this.#graceMs = graceMs
  }

  async keep<T>(bytes: Uint8Array, write: (sha256: string) => Promise<T>): Promise<T> {
    const sha256 = await sha256Of(bytes)
    return this.#blobs.exclusively(sha256, async () => {
      await this.#blobs.put(sha256, bytes, Date.now() - this.#graceMs / 2)
      const result = await write(sha256).catch(async (error: unknown) => {
        await this.release(sha256)
        throw error
      })
      if ((await this.#blobs.size(sha256)) === undefined) await this.#blobs.put(sha256, bytes)
      return result
    })
  }

  release(sha256: string): Promise<void> {
    return this.#doom([sha256])
  }

  releaseLater(hashes: Iterable<string>): void {
    this.#releasing = this.#releasing.then(() => this.#doom([...hashes]))
  }

  async settled(): Promise<void> {
    await this.#releasing
  }

  /** Deletes what is due. @returns how many originals went */
  async sweep(): Promise<number> {
    let deleted = 0
    for await (const { key, modifiedAtMs } of this.#doomed.list()) {
      if (modifiedAtMs > Date.now() - this.#graceMs) continue
      const hashes = ((await this.#doomed.get(key)) ?? '').toString().split('\n').filter(Boolean)
      for (let from = 0; from < hashes.length; from += AT_ONCE)
        deleted += await this.#deleteUnneeded(hashes.slice(from, from + AT_ONCE))
      await this.#doomed.delete(key) // last: what was not done is done again
    }
    return deleted
  }

  async #deleteUnneeded(hashes: readonly string[]): Promise<number> {
    const needed = await this.#store.referencedHashes(hashes)
    const young: string[] = []
    let deleted = 0
    for (const sha256 of hashes.filter((each) => !needed.has(each))) {
      const writtenAt = await this.#blobs.writtenAt(sha256)
      if (writtenAt === undefined) continue
      if (writtenAt > Date.now() - this.#graceMs) {
        young.push(sha256)
        continue
      }
      await this.#blobs.delete(sha256)
      deleted++
    }
    if (young.length > 0) await this.#doom(young)
    return deleted
  }

  async #doom(hashes: readonly string[]): Promise<void> {
    await this.#doomed.put(randomUUID(), hashes.join('\n')).catch(() => undefined)
  }
}
