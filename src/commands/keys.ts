/** `onepeace keys create | list | revoke`: keys of the service, which may be running meanwhile. */

import { changeKeys, keyFileOf, readKeys } from '../auth/key-file.ts'
import { type KeyRecord, KeysError, newKey } from '../auth/keys.ts'
import { loadConfig } from '../config.ts'
import { printJson } from '../terminal/print.ts'
import { prepareDataDir } from './data-dir.ts'

export interface DataFlags {
  data?: string | undefined
}

export interface CreateFlags extends DataFlags {
  tenant: string
  /** Separated by commas. */
  scopes: string
  /** What its holder is called. */
  name?: string | undefined
  json?: boolean | undefined
}

/** The key goes to stdout, alone, so that it can be piped; what is to be said of it goes to stderr. @throws KeysError */
export async function createKey(flags: CreateFlags): Promise<void> {
  const { dataDir } = loadConfig(flags)
  const scopes = flags.scopes.split(',').map((scope) => scope.trim())
  const { key, record } = newKey({ tenant: flags.tenant, scopes, label: flags.name })
  await prepareDataDir(dataDir)
  await changeKeys(keyFileOf(dataDir), (keys) => [...keys, record])
  if (flags.json) return void printJson({ key, ...shown(record) })
  console.log(key)
  console.error(
    `Key ${record.id} of tenant ${record.tenant}: ${record.scopes.join(', ')}. It is shown this once; keep it safe.`,
  )
}

/** A line a key: id, tenant, scopes, when it was made, label. @throws KeysError */
export async function listKeys(flags: DataFlags & { json?: boolean }): Promise<void> {
  const keys = (await readKeys(keyFileOf(loadConfig(flags).dataDir))) ?? []
  if (flags.json) return void printJson(keys.map(shown))
  if (keys.length === 0) console.error('There are no keys; `onepeace keys create` makes one.')
  for (const { id, tenant, scopes, createdAt, label } of keys) {
    console.log([id, tenant, scopes.join(','), createdAt, label].join('\t').trimEnd())
  }
}

/** Without its hash. */
function shown({ id, tenant, scopes, createdAt, label }: KeyRecord) {
  return { id, tenant, scopes, created_at: createdAt, ...(label !== '' && { label }) }
}

/** @throws KeysError if there is no such key */
export async function revokeKey(id: string, flags: DataFlags): Promise<void> {
  const path = keyFileOf(loadConfig(flags).dataDir)
  if ((await readKeys(path)) === undefined) throw noSuchKey(id)
  let left: KeyRecord[] = []
  await changeKeys(path, (keys) => {
    left = keys.filter((key) => key.id !== id)
    if (left.length === keys.length) throw noSuchKey(id)
    return left
  })
  console.error(`Key ${id} is revoked; a running service refuses it within a second.`)
  if (left.length === 0) console.error(`That was the last: nobody is let in now. Remove ${path} to do without keys.`)
}

function noSuchKey(id: string): KeysError {
  return new KeysError(`There is no key '${id}'; \`onepeace keys list\` shows those there are.`)
}
