/**
 * `<data>/keys.json`: the records of all keys, written whole or not at all, readable by its owner alone. In: a change to the
 * list. Out: the list. It needs no lock of the data folder, so keys are made and revoked while the service runs.
 *
 * A change is written to `keys.json.new`, which only one process can create: that is its lock as well as its draft.
 */
import { type FileHandle, open, readFile, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fsyncFolder } from '../durable.ts'
import { isScope, isTenant, type KeyRecord, KeysError } from './keys.ts'

const VERSION = 1

export function keyFileOf(dataDir: string): string {
  return join(dataDir, 'keys.json')
}

/** @returns undefined if there is no file: no key was ever made. @throws KeysError if it cannot be read */
export async function readKeys(path: string): Promise<KeyRecord[] | undefined> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new KeysError(`The keys in ${path} cannot be read: ${(error as Error).message}.`)
  }
  return parseKeys(text, path)
}

/** Replaces the list by what `change` makes of it; on disk when this resolves. @throws KeysError */
export async function changeKeys(path: string, change: (keys: KeyRecord[]) => KeyRecord[]): Promise<void> {
  const fresh = `${path}.new`
  const draft = await openDraft(fresh, path)
  try {
    const keys = change((await readKeys(path)) ?? [])
    await draft.writeFile(`${JSON.stringify({ version: VERSION, keys: keys.map(entryOf) }, null, 2)}\n`)
    await draft.sync()
    await draft.close()
    await rename(fresh, path)
  } catch (error) {
    await draft.close().catch(() => undefined)
    await rm(fresh, { force: true })
    throw error
  }
  await fsyncFolder(dirname(path))
}

async function openDraft(fresh: string, path: string): Promise<FileHandle> {
  try {
    return await open(fresh, 'wx', 0o600)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code !== 'EEXIST') throw new KeysError(`${path} cannot be written: ${message}.`)
    throw new KeysError(`Another process is changing ${path}; try again, or remove ${fresh} if there is none.`)
  }
}

function entryOf({ createdAt, ...record }: KeyRecord): object {
  return { ...record, created_at: createdAt }
}

/** @param path where they stand, for the message. @throws KeysError */
export function parseKeys(text: string, path: string): KeyRecord[] {
  try {
    const { version, keys } = JSON.parse(text) as { version: unknown; keys: unknown[] }
    if (version === VERSION) return keys.map((entry) => recordOf(entry as Record<string, unknown>))
  } catch {
    // told below, like another version
  }
  throw new KeysError(`${path} is not a list of keys of version ${VERSION}; restore it, or make new keys without it.`)
}

function recordOf({ created_at: createdAt, ...entry }: Record<string, unknown>): KeyRecord {
  const { id, tenant, scopes, label, sha256 } = entry as Record<keyof KeyRecord, unknown>
  const texts = [id, label, createdAt].every((each) => typeof each === 'string')
  const isHash = typeof sha256 === 'string' && /^[\da-f]{64}$/.test(sha256)
  if (!texts || !isHash || !isTenant(tenant) || !Array.isArray(scopes) || !scopes.every(isScope)) {
    throw new KeysError('An entry is no key.')
  }
  return { id, tenant, scopes, label, sha256, createdAt } as KeyRecord
}
