/**
 * The folder of the embedded store, and how a table takes another's place.
 *
 *   <dir>/<collection>.lance/         the collection's table
 *   <dir>/.next/<collection>.lance/   the same collection being written anew: with other columns, or another model's vectors
 *   <dir>/.next/<collection>.ready    it is whole, and takes the table's place: now, or at the next start if the process dies here
 *   <dir>/.trash/                     what is being deleted: moved here in one rename, then removed, at the latest at the next start
 *
 * One process at a time may use the folder (the data folder's lock sees to it).
 */
import { randomUUID } from 'node:crypto'
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { fsyncPath } from './fsync-tree.ts'
import { compareIds } from './rows.ts'

export const TABLE = '.lance'
const READY = '.ready'

export class LanceFolder {
  readonly dir: string
  /** Of the tables being written anew. */
  readonly nextDir: string
  readonly #trash: string

  constructor(dir: string) {
    this.dir = dir
    this.nextDir = join(dir, '.next')
    this.#trash = join(dir, '.trash')
  }

  /** Finishes or removes what a killed process left. Before any table is open. */
  async prepare(): Promise<void> {
    await rm(this.#trash, { recursive: true, force: true })
    for (const folder of [this.#trash, this.nextDir]) await mkdir(folder, { recursive: true })
    for (const name of await namesIn(this.nextDir, READY)) await this.#takePlace(name)
    for (const name of await this.names())
      if (!(await hasVersion(this.path(name)))) await rm(this.path(name), { recursive: true, force: true })
  }

  /** Of the collections, in order. */
  names(): Promise<string[]> {
    return namesIn(this.dir, TABLE)
  }

  path(name: string): string {
    return join(this.dir, name + TABLE)
  }

  nextPath(name: string): string {
    return join(this.nextDir, name + TABLE)
  }

  has(name: string): Promise<boolean> {
    return hasVersion(this.path(name))
  }

  hasNext(name: string): Promise<boolean> {
    return hasVersion(this.nextPath(name))
  }

  /** Whole or not at all. Its table must be closed. */
  async delete(name: string): Promise<void> {
    await this.deleteNext(name)
    await this.#discard(this.path(name))
    await fsyncPath(this.dir)
  }

  async deleteNext(name: string): Promise<void> {
    await this.#discard(this.nextPath(name))
  }

  /** The table written anew takes the place of the collection's. Both must be closed, and synced. */
  async replace(name: string): Promise<void> {
    const mark = await open(join(this.nextDir, name + READY), 'w')
    await mark.close()
    await fsyncPath(this.nextDir)
    await this.#takePlace(name)
  }

  async #takePlace(name: string): Promise<void> {
    if (await exists(this.nextPath(name))) {
      await this.#discard(this.path(name))
      await rename(this.nextPath(name), this.path(name))
      await fsyncPath(this.dir)
    }
    await rm(join(this.nextDir, name + READY), { force: true })
    await fsyncPath(this.nextDir)
  }

  async #discard(path: string): Promise<void> {
    if (!(await exists(path))) return
    const grave = join(this.#trash, randomUUID())
    await rename(path, grave)
    await rm(grave, { recursive: true, force: true }).catch(() => undefined)
  }
}

async function namesIn(dir: string, suffix: string): Promise<string[]> {
  const found = (await readdir(dir)).filter((name) => name.endsWith(suffix))
  return found.map((name) => name.slice(0, -suffix.length)).sort(compareIds)
}

/** A folder without a committed version is what a process killed while creating a table left: never acknowledged. */
async function hasVersion(path: string): Promise<boolean> {
  const files = await readdir(join(path, '_versions')).catch(() => [])
  return files.some((file) => file.endsWith('.manifest'))
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined
}
