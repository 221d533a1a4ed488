/** Files that are on disk, whole, when a call resolves: what a rename and two fsyncs give. */
import { randomUUID } from 'node:crypto'
import { open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Creates a file and syncs its bytes; its name is durable once the folder is. @throws NodeJS.ErrnoException, EEXIST among them */
export async function createSynced(path: string, bytes: Uint8Array | string): Promise<void> {
  const handle = await open(path, 'wx')
  try {
    await handle.writeFile(bytes)
    await handle.sync()
  } catch (error) {
    await rm(path, { force: true }) // what was written of it takes room on a disk that is full
    throw error
  } finally {
    await handle.close()
  }
}

/** Creates or replaces a file: a reader, and whoever comes after a crash, sees the old bytes or the new. */
export async function replaceDurably(path: string, bytes: Uint8Array | string): Promise<void> {
  const fresh = `${path}.${randomUUID()}.new`
  await createSynced(fresh, bytes)
  try {
    await rename(fresh, path)
  } catch (error) {
    await rm(fresh, { force: true })
    throw error
  }
  await fsyncFolder(dirname(path))
}

/** Makes new names in a folder durable. Windows cannot fsync a folder and journals names by itself. */
export async function fsyncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

const FULL = ['ENOSPC', 'EDQUOT']

/** Why a write failed, as a user is told it. */
export function whyUnwritable({ code }: NodeJS.ErrnoException): string {
  return FULL.includes(code ?? '') ? 'the disk is full' : 'its folder cannot be written'
}
