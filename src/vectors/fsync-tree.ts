/**
 * Makes what a library wrote into a folder durable. LanceDB writes and renames files without fsync, which survives the end
 * of the process but not of the machine; this closes the gap for the files that are new since the last call.
 */
import { open, readdir } from 'node:fs/promises'
import { join } from 'node:path'

/** Fsyncs a file or folder; one that is gone is nothing to keep. */
export async function fsyncPath(path: string): Promise<void> {
  const handle = await open(path, 'r').catch(ignoreGone)
  if (handle === undefined) return
  try {
    await handle.sync()
  } catch (error) {
    // Windows cannot fsync a folder; its file system journals names by itself.
    if (!['EPERM', 'EISDIR', 'EINVAL'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
  } finally {
    await handle.close()
  }
}

function ignoreGone(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT' && error.code !== 'EISDIR' && error.code !== 'EPERM') throw error
}

export class DurableTree {
  readonly #root: string
  readonly #writtenOnce: string | undefined
  /** By folder, the names in it at the last call. */
  #known = new Map<string, ReadonlySet<string>>()

  /** @param writtenOnce a folder in the root: what is in a folder of it never changes, so that one that is synced is not listed again */
  constructor(root: string, writtenOnce?: string) {
    this.#root = root
    this.#writtenOnce = writtenOnce && join(root, writtenOnce)
  }

  /** Fsyncs files that were not there at the last call, then the folders that changed. */
  async sync(): Promise<void> {
    const seen = new Map<string, ReadonlySet<string>>()
    await this.#syncFolder(this.#root, seen)
    this.#known = seen
  }

  async #syncFolder(folder: string, seen: Map<string, ReadonlySet<string>>): Promise<void> {
    const known = this.#known.get(folder)
    const names = new Set<string>()
    const fresh: string[] = []
    let isChanged = false
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      const { name } = entry
      if (!entry.isDirectory() && !entry.isFile()) continue
      const path = join(folder, name)
      if (entry.isDirectory()) {
        const before = folder === this.#writtenOnce ? this.#known.get(path) : undefined
        if (before) seen.set(path, before)
        else await this.#syncFolder(path, seen)
      }
      names.add(name)
      if (known?.has(name)) continue
      isChanged = true // a new folder, such as an index's, is a name to keep too
      if (entry.isFile()) fresh.push(path)
    }
    seen.set(folder, names)
    if (!isChanged) return
    await Promise.all(fresh.map(fsyncPath))
    await fsyncPath(folder)
  }
}
