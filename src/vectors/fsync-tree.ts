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
  #known = new Set<string>()

  constructor(root: string) {
    this.#root = root
  }

  /** Fsyncs files that were not there at the last call, then the folders that changed. */
  async sync(): Promise<void> {
    const seen = new Set<string>()
    await this.#syncFolder(this.#root, seen)
    this.#known = seen
  }

  async #syncFolder(folder: string, seen: Set<string>): Promise<void> {
    let isChanged = false
    const fresh: string[] = []
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name)
      if (!entry.isDirectory() && !entry.isFile()) continue
      if (entry.isDirectory()) await this.#syncFolder(path, seen)
      seen.add(path)
      if (this.#known.has(path)) continue
      isChanged = true // a new folder, such as an index's, is a name to keep too
      if (entry.isFile()) fresh.push(path)
    }
    if (!isChanged) return
    await Promise.all(fresh.map(fsyncPath))
    await fsyncPath(folder)
  }
}
