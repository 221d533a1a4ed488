/**
 * Content-addressed originals. In: bytes. Out: their SHA-256, under which they can be read again, whole or in part.
 *
 *   ab/abcdef…     content, named by lower-case hex SHA-256
 *
 * Two items with equal bytes share a blob: whoever writes an item, or deletes one and then the blob nobody needs, does so inside
 * `exclusively(sha256, …)`. That holds within one process; who may delete where several share a store: services/shared-media.ts.
 */
import { webcrypto } from 'node:crypto'
import type { Readable } from 'node:stream'
import { type ByteRange, type ObjectStore, told } from '../objects/object-store.ts'
import { KeyedSerial } from '../serial.ts'

const SHA256 = /^[0-9a-f]{64}$/
const UNREADABLE = 'The original could not be read'

/** Lower-case hex SHA-256, computed off the calling thread. */
export async function sha256Of(bytes: Uint8Array): Promise<string> {
  return Buffer.from(await webcrypto.subtle.digest('SHA-256', bytes)).toString('hex')
}

/** Every method throws DomainError `vector-store-unavailable` where the objects cannot be reached, read or written. */
export class BlobStore {
  readonly #objects: ObjectStore
  readonly #busy = new KeyedSerial()

  constructor(objects: ObjectStore) {
    this.#objects = objects
  }

  /** Runs `task` while no other task of the same hash runs in this process. */
  exclusively<T>(sha256: string, task: () => Promise<T>): Promise<T> {
    return this.#busy.run(sha256, task)
  }

  ready(): Promise<void> {
    return told('The originals cannot be reached', this.#objects.ready())
  }

  /**
   * Resolves when the bytes are kept under their name. Writing what is there already costs one look.
   * @param writtenSince ms since 1970: what was last written before is written again
   * @returns whether something was written
   */
  async put(sha256: string, bytes: Uint8Array, writtenSince = 0): Promise<boolean> {
    const key = keyOf(sha256)
    const put = async () => {
      const before = await this.#objects.stat(key)
      if (before?.bytes === bytes.length && before.modifiedAtMs >= writtenSince) return false
      await this.#objects.put(key, bytes)
      return true
    }
    return told('The original could not be kept and nothing was stored', put())
  }

  /** Bytes in the blob, or `undefined` if there is none. */
  async size(sha256: string): Promise<number | undefined> {
    return (await told(UNREADABLE, this.#objects.stat(keyOf(sha256))))?.bytes
  }

  /** When it was last written, ms since 1970, or `undefined` if there is none. */
  async writtenAt(sha256: string): Promise<number | undefined> {
    return (await told(UNREADABLE, this.#objects.stat(keyOf(sha256))))?.modifiedAtMs
  }

  /** @param range the whole if absent. @returns undefined if there is none */
  read(sha256: string, range?: ByteRange): Promise<Readable | undefined> {
    return told(UNREADABLE, this.#objects.open(keyOf(sha256), range))
  }

  /** The whole. @returns undefined if there is none */
  bytes(sha256: string): Promise<Buffer | undefined> {
    return told(UNREADABLE, this.#objects.get(keyOf(sha256)))
  }

  delete(sha256: string): Promise<void> {
    return told('The original could not be deleted', this.#objects.delete(keyOf(sha256)))
  }

  /** Deletes every blob not in `needed`. Only for the start, before anything is written. @returns how many */
  async sweep(needed: ReadonlySet<string>): Promise<number> {
    let deleted = 0
    for await (const { key } of this.#objects.list()) {
      const sha256 = key.slice(key.indexOf('/') + 1)
      if (!SHA256.test(sha256) || needed.has(sha256)) continue
      await this.delete(sha256)
      deleted++
    }
    return deleted
  }
}

function keyOf(sha256: string): string {
  if (!SHA256.test(sha256)) throw new RangeError(`Not a SHA-256: ${sha256}`)
  return `${sha256.slice(0, 2)}/${sha256}`
}
