/**
 * Records of writes by the hash of their key, each a JSON file that is replaced whole:
 *
 *   <dir>/ab/abcdef…     named by lower-case hex SHA-256
 */
import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { fsyncFolder, replaceDurably, whyUnwritable } from '../durable.ts'
import { DomainError } from '../errors.ts'

export interface WriteRecord {
  /** SHA-256 of the request that came first, lower-case hex. */
  request: string
  /** What is written bears this id, unless the request named another, and this time (ISO 8601). */
  id: string
  createdAt: string
  /** Absent until the write is done. */
  answer?: unknown
}

const SHA256 = /^[0-9a-f]{64}$/

export class WriteJournal {
  readonly #dir: string

  constructor(dir: string) {
    this.#dir = dir
  }

  async read(name: string): Promise<WriteRecord | undefined> {
    try {
      return JSON.parse(await readFile(this.#path(name), 'utf8')) as WriteRecord
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    }
  }

  /** On disk when it resolves. @throws DomainError `vector-store-unavailable` if it cannot be written */
  async write(name: string, record: WriteRecord): Promise<void> {
    try {
      const shelf = join(this.#dir, name.slice(0, 2))
      if ((await mkdir(shelf, { recursive: true })) !== undefined) await fsyncFolder(this.#dir)
      await replaceDurably(this.#path(name), JSON.stringify(record))
    } catch (error) {
      const why = whyUnwritable(error as NodeJS.ErrnoException)
      const message = `The request could not be recorded under its Idempotency-Key, as ${why}. The operator has to mend it.`
      throw new DomainError('vector-store-unavailable', message, { cause: error, retryAfterS: 30 })
    }
  }

  async delete(name: string): Promise<void> {
    await rm(this.#path(name), { force: true })
  }

  /** Deletes what was last written before `time` (ms since 1970), and what a killed process was writing. @returns how many */
  async deleteBefore(time: number): Promise<number> {
    let deleted = 0
    for (const shelf of await namesIn(this.#dir)) {
      for (const name of await namesIn(join(this.#dir, shelf))) {
        const path = join(this.#dir, shelf, name)
        const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Number.POSITIVE_INFINITY }))
        if (mtimeMs >= time) continue
        await rm(path, { force: true })
        deleted++
      }
    }
    return deleted
  }

  #path(name: string): string {
    if (!SHA256.test(name)) throw new RangeError(`Not a SHA-256: ${name}`)
    return join(this.#dir, name.slice(0, 2), name)
  }
}

async function namesIn(dir: string): Promise<string[]> {
  try {
    return await readdir(dir)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}
