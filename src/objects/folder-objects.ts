/** Objects as files: the key is the path below a folder. */
import { mkdir, readdir, readFile, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fsyncFolder, replaceDurably, whyUnwritable } from '../durable.ts'
import { DomainError } from '../errors.ts'
import type { ObjectStore } from './object-store.ts'

const KEY = /^[A-Za-z0-9_-][A-Za-z0-9._-]*(\/[A-Za-z0-9_-][A-Za-z0-9._-]*)*\/?$/
/** What a killed process was writing (`replaceDurably`). */
const UNFINISHED = /\.[0-9a-f-]{36}\.new$/

export class FolderObjects implements ObjectStore {
  readonly #dir: string

  constructor(dir: string) {
    this.#dir = dir
  }

  async put(key: string, bytes: Uint8Array | string): Promise<void> {
    const path = this.#path(key)
    const attempt = async () => {
      await makeFolder(dirname(path))
      await replaceDurably(path, bytes)
    }
    try {
      // Another process may delete the folder between the two: a second time it is made again.
      await attempt().catch((error: unknown) => (isAbsence(error) ? attempt() : Promise.reject(error)))
    } catch (error) {
      throw unwritable(error as NodeJS.ErrnoException)
    }
  }

  async get(key: string): Promise<Buffer | undefined> {
    try {
      return await readFile(this.#path(key))
    } catch (error) {
      if (isAbsence(error)) return undefined
      throw error
    }
  }

  async *list(folder: string, after = ''): AsyncGenerator<string> {
    for (const entry of await entriesIn(this.#path(folder))) {
      const key = folder + entry.name
      if (entry.isDirectory()) {
        if (`${key}/` > after || after.startsWith(`${key}/`)) yield* this.list(`${key}/`, after)
      } else if (key > after && !UNFINISHED.test(entry.name)) yield key
    }
  }

  async delete(key: string): Promise<void> {
    await rm(this.#path(key), { force: true })
  }

  async deleteAll(folder: string): Promise<void> {
    await rm(this.#path(folder), { recursive: true, force: true })
  }

  #path(key: string): string {
    if (!KEY.test(key)) throw new RangeError(`Not a key: ${key}`)
    return join(this.#dir, key)
  }
}

async function entriesIn(path: string) {
  try {
    const entries = await readdir(path, { withFileTypes: true })
    // As keys sort: a folder by its name with the slash.
    const name = (entry: (typeof entries)[number]) => (entry.isDirectory() ? `${entry.name}/` : entry.name)
    return entries.sort((a, b) => (name(a) < name(b) ? -1 : 1))
  } catch (error) {
    if (isAbsence(error)) return []
    throw error
  }
}

/** With its name durable, and those of the folders made above it. */
async function makeFolder(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true })
  if (first === undefined) return
  for (let made = path; made.length >= first.length; made = dirname(made)) await fsyncFolder(dirname(made))
}

function isAbsence(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')
}

function unwritable(cause: NodeJS.ErrnoException): DomainError {
  const message = `The record of a job could not be written, as ${whyUnwritable(cause)}. The operator has to mend it.`
  return new DomainError('vector-store-unavailable', message, { cause, retryAfterS: 30 })
}
