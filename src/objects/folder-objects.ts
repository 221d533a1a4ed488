/**
 * Objects as files of a folder, each at the path that is its key.
 *
 *   <dir>/ab/abcdef…     an object
 *   <dir>/.incoming/     being written; what a killed process left there goes with the next start
 *
 * An object appears by rename, or by link where it must not be there yet, after fsync of its bytes: a name that exists has its
 * whole content. On a shared folder (NFS and the like) both are one step, for all who mounted it.
 */
import { randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { link, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import { createSynced, fsyncFolder, whyUnwritable } from '../durable.ts'
import { assertKey, type ByteRange, type ObjectInfo, type ObjectStore, ObjectStoreError } from './object-store.ts'

const INCOMING = '.incoming'
/** By then whoever wrote it has long given up. */
const ABANDONED_AFTER_MS = 60 * 60 * 1000

export interface FolderOptions {
  /** Whether other processes may be writing; if not, what is half written was left behind. */
  isShared?: boolean
  /** A file that is there as long as the folder is: a share that is gone must not look like an empty one. */
  marker?: string
}

export class FolderObjects implements ObjectStore {
  readonly #dir: string
  readonly #options: FolderOptions
  #opened: Promise<void> | undefined

  constructor(dir: string, options: FolderOptions = {}) {
    this.#dir = dir
    this.#options = options
  }

  async ready(): Promise<void> {
    await this.#assertThere()
    await unwritable(this.#open())
  }

  put(key: string, bytes: Uint8Array | string): Promise<void> {
    return this.#place(key, bytes, rename)
  }

  async create(key: string, bytes: Uint8Array | string): Promise<boolean> {
    if ((await this.stat(key)) !== undefined) return false
    let isNew = true
    await this.#place(key, bytes, async (draft, path) => {
      isNew = await linked(draft, path)
      await rm(draft, { force: true })
    })
    return isNew
  }

  async stat(key: string): Promise<ObjectInfo | undefined> {
    const found = await this.#orNone(stat(this.#path(key)))
    return found && { bytes: found.size, modifiedAtMs: found.mtimeMs }
  }

  get(key: string): Promise<Buffer | undefined> {
    return this.#orNone(readFile(this.#path(key)))
  }

  async open(key: string, range?: ByteRange): Promise<Readable | undefined> {
    const handle = await this.#orNone(open(this.#path(key), 'r'))
    return handle && createReadStream('', { ...range, fd: handle })
  }

  async delete(key: string): Promise<void> {
    await unwritable(rm(this.#path(key), { force: true }))
  }

  async *list(prefix = ''): AsyncIterable<ObjectInfo & { key: string }> {
    await this.#assertThere()
    await unwritable(this.#open())
    const folder = join(this.#dir, prefix.slice(0, prefix.lastIndexOf('/') + 1))
    const entries = (await this.#orNone(readdir(folder, { recursive: true, withFileTypes: true }))) ?? []
    for (const entry of entries) {
      const key = join(entry.parentPath, entry.name)
        .slice(this.#dir.length + 1)
        .replaceAll('\\', '/')
      if (!entry.isFile() || key.startsWith('.') || !key.startsWith(prefix)) continue
      const info = await this.stat(key)
      if (info) yield { key, ...info }
    }
  }

  async #place(key: string, bytes: Uint8Array | string, into: (draft: string, path: string) => Promise<void>) {
    const path = this.#path(key)
    await this.#assertThere()
    await unwritable(
      (async () => {
        await this.#open()
        const draft = join(this.#dir, INCOMING, randomUUID())
        await createSynced(draft, bytes)
        const shelf = dirname(path)
        const isNew = (await mkdir(shelf, { recursive: true })) !== undefined
        if (isNew) await this.#fsyncAbove(shelf)
        await into(draft, path)
        await fsyncFolder(shelf)
      })(),
    )
  }

  /** Each folder holds the name of the next. */
  async #fsyncAbove(shelf: string): Promise<void> {
    for (let folder = shelf; folder.length > this.#dir.length; ) {
      folder = dirname(folder)
      await fsyncFolder(folder)
    }
  }

  #path(key: string): string {
    assertKey(key)
    return join(this.#dir, key)
  }

  /** What is read, or undefined where there is nothing to read. */
  async #orNone<T>(reading: Promise<T>): Promise<T | undefined> {
    try {
      return await reading
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code !== 'ENOENT') throw new ObjectStoreError(`their folder cannot be read (${code})`, { cause: error })
      await this.#assertThere()
      return undefined
    }
  }

  async #assertThere(): Promise<void> {
    const { marker } = this.#options
    if (marker === undefined) return
    await stat(marker).catch((cause: unknown) => {
      throw new ObjectStoreError('their folder is not there, or no longer the same', { cause })
    })
  }

  /** Removes what was being written when a process ended. Kept once it worked. */
  #open(): Promise<void> {
    this.#opened ??= this.#clear().catch((error: unknown) => {
      this.#opened = undefined
      throw error
    })
    return this.#opened
  }

  async #clear(): Promise<void> {
    const incoming = join(this.#dir, INCOMING)
    await mkdir(incoming, { recursive: true })
    const before = this.#options.isShared ? Date.now() - ABANDONED_AFTER_MS : Number.POSITIVE_INFINITY
    for (const name of await readdir(incoming)) {
      const path = join(incoming, name)
      const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Number.POSITIVE_INFINITY }))
      if (mtimeMs < before) await rm(path, { force: true })
    }
  }
}

/** @returns false if the name was taken */
async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

async function unwritable<T>(writing: Promise<T>): Promise<T> {
  try {
    return await writing
  } catch (cause) {
    throw new ObjectStoreError(whyUnwritable(cause as NodeJS.ErrnoException), { cause })
  }
}
