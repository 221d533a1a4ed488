/** Originals beside their items: bytes are kept before an item refers to them, and go when no item does any more. */
import { type BlobStore, sha256Of } from '../blobs/blob-store.ts'
import type { VectorStore } from '../vectors/store.ts'

export interface MediaKeeper {
  /** Keeps the bytes, then lets `write` store what refers to them, before anyone can release them again. */
  keep<T>(bytes: Uint8Array, write: (sha256: string) => Promise<T>): Promise<T>
  /** Deletes the bytes, now or soon, unless an item refers to them. Never fails: at worst they take room. */
  release(sha256: string): Promise<void>
  /** `release` for many, behind the caller's back. */
  releaseLater(hashes: Iterable<string>): void
  /** Resolves when everything given to `releaseLater` is done. */
  settled(): Promise<void>
}

/** Originals that this process alone writes and deletes. Where several do: shared-media.ts. */
export class OwnMedia implements MediaKeeper {
  readonly #blobs: BlobStore
  readonly #store: VectorStore
  #releasing: Promise<void> = Promise.resolve()

  constructor(blobs: BlobStore, store: VectorStore) {
    this.#blobs = blobs
    this.#store = store
  }

  async keep<T>(bytes: Uint8Array, write: (sha256: string) => Promise<T>): Promise<T> {
    const sha256 = await sha256Of(bytes)
    return this.#blobs.exclusively(sha256, async () => {
      await this.#blobs.put(sha256, bytes)
      return write(sha256)
    })
  }

  /** A failure leaves them to the next start's sweep. */
  async release(sha256: string): Promise<void> {
    const task = async () => {
      const needed = await this.#store.referencedHashes([sha256])
      if (!needed.has(sha256)) await this.#blobs.delete(sha256)
    }
    await this.#blobs.exclusively(sha256, task).catch(() => undefined)
  }

  releaseLater(hashes: Iterable<string>): void {
    this.#releasing = this.#releasing.then(async () => {
      for (const sha256 of hashes) await this.release(sha256)
    })
  }

  async settled(): Promise<void> {
    await this.#releasing
  }

  /** Removes what a killed process left behind. Only before the first write. @returns how many blobs went */
  async sweep(): Promise<number> {
    return this.#blobs.sweep(await this.#store.referencedHashes())
  }
}
