/** Files that a language model may name: those in folders that the user allowed, links followed before that is judged. */
import { constants, openAsBlob } from 'node:fs'
import { access, realpath, stat } from 'node:fs/promises'
import { isAbsolute, relative, resolve, sep } from 'node:path'

/** A file may not be read, or is none; the message says which and what to do. */
export class FileRefusedError extends Error {
  override name = 'FileRefusedError'
}

export class AllowedFiles {
  readonly #dirs: readonly string[]

  private constructor(dirs: readonly string[]) {
    this.#dirs = dirs
  }

  /** @throws FileRefusedError if one is no folder */
  static async of(dirs: readonly string[]): Promise<AllowedFiles> {
    return new AllowedFiles(await Promise.all(dirs.map(realFolder)))
  }

  /** The allowed folders, as they really lie. */
  get dirs(): readonly string[] {
    return this.#dirs
  }

  /** @param path absolute, or from an allowed folder. @throws FileRefusedError */
  async read(path: string): Promise<Blob> {
    if (this.#dirs.length === 0) {
      throw new FileRefusedError('Files may not be read. `onepeace mcp --allow-dir FOLDER` allows those of a folder.')
    }
    const candidates = isAbsolute(path) ? [path] : this.#dirs.map((dir) => resolve(dir, path))
    for (const candidate of candidates) {
      const real = await realpath(candidate).catch(() => undefined)
      if (real === undefined || !this.#dirs.some((dir) => isWithin(dir, real))) continue
      if (!(await stat(real)).isFile()) throw new FileRefusedError(`'${path}' is not a file.`)
      await access(real, constants.R_OK).catch(() => {
        throw new FileRefusedError(`'${path}' cannot be read by this user.`)
      })
      return openAsBlob(real)
    }
    // The same words whether it is missing or lies elsewhere: what exists outside is nobody's business.
    throw new FileRefusedError(`There is no file '${path}' in the allowed folders: ${this.#dirs.join(', ')}.`)
  }
}

async function realFolder(dir: string): Promise<string> {
  const real = await realpath(dir).catch(() => undefined)
  if (real !== undefined && (await stat(real)).isDirectory()) return real
  throw new FileRefusedError(`--allow-dir: there is no folder '${dir}'.`)
}

function isWithin(dir: string, path: string): boolean {
  const way = relative(dir, path)
  return way !== '' && way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way)
}
