/**
 * Content-addressed files. In: bytes. Out: their SHA-256, under which they can be read again, whole or in part.
 *
 *   <dir>/ab/abcdef…      content, named by lower-case hex SHA-256
 *   <dir>/.incoming/      being written; emptied when the store opens
 *
 * A blob appears by rename after fsync, so a name that exists has its whole content. Two items with equal bytes share a
 * blob: whoever writes an item, or deletes one and then the blob nobody needs, does so inside `exclusively(sha256, …)`.
 * What a killed process left without an item is removed by `sweep` at the next start.
 */
import { randomUUID, webcrypto } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { createSynced, fsyncFolder, whyUnwritable } from '../durable.ts'
import { DomainError } from '../errors.ts'
import { KeyedSerial } from '../serial.ts'

const INCOMING = '.incoming'
const SHA256 = /^[0-9a-f]{64}$/

/** Lower-case hex SHA-256, computed off the calling thread. */
export async function sha256Of(bytes: Uint8Array): Promise<string> {
  return Buffer.from(await webcrypto.subtle.digest('SHA-256', bytes)).toString('hex')
}

export class BlobStore {
  readonly #dir: string
  readonly #busy = new KeyedSerial()
  #opened: Promise<void> | undefined

  constructor(dir: string) {
    this.#dir = dir
  }

  /** Runs `task` while no other task of the same hash runs. */
  exclusively<T>(sha256: string, task: () => Promise<T>): Promise<T> {
    return this.#busy.run(sha256, task)
  }

  /**
   * Resolves when the bytes are on disk under their name. Writing what is there already costs one look.
   * @throws DomainError `vector-store-unavailable` if they cannot be written, e.g. as the disk is full
   */
  async put(sha256: string, bytes: Uint8Array): Promise<void> {
    try {
      await this.#put(sha256, bytes)
    } catch (error) {
      throw unwritable(error as NodeJS.ErrnoException)
    }
  }

  async #put(sha256: string, bytes: Uint8Array): Promise<void> {
    await this.#open()
    const path = this.#path(sha256)
    if ((await sizeOf(path)) === bytes.length) return
    const incoming = join(this.#dir, INCOMING, randomUUID())
    await createSynced(incoming, bytes)
    const shelf = join(this.#dir, sha256.slice(0, 2))
    if ((await mkdir(shelf, { recursive: true })) !== undefined) await fsyncFolder(this.#dir)
    await rename(incoming, path)
    await fsyncFolder(shelf)
  }

  /** Bytes in the blob, or `undefined` if there is none. */
  size(sha256: string): Promise<number | undefined> {
    return sizeOf(this.#path(sha256))
  }

  /** @param range first and last byte, both included; the whole if absent */
  read(sha256: string, range?: { start: number; end: number }): Readable {
    return createReadStream(this.#path(sha256), range)
  }

  async delete(sha256: string): Promise<void> {
    await rm(this.#path(sha256), { force: true })
  }

  /** Deletes every blob not in `needed`. Only for the start, before anything is written. @returns how many */
  async sweep(needed: ReadonlySet<string>): Promise<number> {
    await this.#open()
    let deleted = 0
    for (const shelf of await readdir(this.#dir)) {
      if (shelf === INCOMING) continue
      for (const name of await readdir(join(this.#dir, shelf))) {
        if (!SHA256.test(name) || needed.has(name)) continue
        await this.delete(name)
        deleted++
      }
    }
    return deleted
  }

  #path(sha256: string): string {
    if (!SHA256.test(sha256)) throw new RangeError(`Not a SHA-256: ${sha256}`)
    return join(this.#dir, sha256.slice(0, 2), sha256)
  }

  /** Empties what was being written when a process ended. Kept once it worked. */
  #open(): Promise<void> {
    this.#opened ??= (async () => {
      const incoming = join(this.#dir, INCOMING)
      await rm(incoming, { recursive: true, force: true })
      await mkdir(incoming, { recursive: true })
    })().catch((error: unknown) => {
      this.#opened = undefined
      throw error
    })
    return this.#opened
  }
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

function unwritable(cause: NodeJS.ErrnoException): DomainError {
  const message = `The original could not be kept, as ${whyUnwritable(cause)}; nothing was stored. The operator has to mend it.`
  return new DomainError('vector-store-unavailable', message, { cause, retryAfterS: 30 })
}
