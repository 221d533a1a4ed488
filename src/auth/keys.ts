/**
 * What a key is: 32 random bytes that its holder keeps, and a record that the service keeps, with the hash alone.
 *
 * The hash is plain SHA-256. Slow hashes protect what people make up and others can guess; nobody guesses 256 random bits,
 * and a fast hash lets every request be checked without a cache of secrets.
 */
import { createHash, randomBytes } from 'node:crypto'

export const SCOPES = ['read', 'write', 'admin'] as const
/** `read`: embed, list, get, search; `write`: put and delete items; `admin`: make and delete collections. */
export type Scope = (typeof SCOPES)[number]

/** Whose collections are met without a key, and whose have plain names in the store. */
export const DEFAULT_TENANT = 'default'
const TENANT = /^[a-z0-9][a-z0-9-]{0,31}$/
/** Up to 100 characters, none that could play tricks on a terminal. */
const LABEL = /^\P{C}{0,100}$/u

export interface KeyRecord {
  /** 12 hex characters; names the key without giving it away. */
  id: string
  tenant: string
  scopes: readonly Scope[]
  label: string
  /** Lower-case hex. */
  sha256: string
  /** ISO 8601, UTC. */
  createdAt: string
}

export interface KeyRequest {
  tenant: string
  scopes: readonly string[]
  label?: string | undefined
}

/** Keys or their file are wrong; the message says how and what to do. */
export class KeysError extends Error {
  override name = 'KeysError'
}

/** @returns the record to keep, and the key, which is nowhere else. @throws KeysError naming what is wrong */
export function newKey({ tenant, scopes, label = '' }: KeyRequest): { key: string; record: KeyRecord } {
  assertRequest(tenant, scopes, label)
  const key = `op_${randomBytes(32).toString('base64url')}`
  const record: KeyRecord = {
    id: randomBytes(6).toString('hex'),
    tenant,
    scopes: SCOPES.filter((scope) => scopes.includes(scope)),
    label,
    sha256: sha256Of(key).toString('hex'),
    createdAt: new Date().toISOString(),
  }
  return { key, record }
}

function assertRequest(tenant: string, scopes: readonly string[], label: string): void {
  if (!isTenant(tenant)) {
    throw new KeysError(
      `A tenant is 1 to 32 lower-case letters, digits and hyphens, with no hyphen first; '${tenant}' is not.`,
    )
  }
  const unknown = scopes.find((scope) => !isScope(scope))
  if (unknown !== undefined || scopes.length === 0) {
    throw new KeysError(`Scopes are ${SCOPES.join(', ')}, separated by commas; '${unknown ?? ''}' is none.`)
  }
  if (!LABEL.test(label)) throw new KeysError('A label is up to 100 printable characters.')
}

export function isTenant(text: unknown): text is string {
  return typeof text === 'string' && TENANT.test(text)
}

export function isScope(text: unknown): text is Scope {
  return SCOPES.some((scope) => scope === text)
}

/** 32 bytes. */
export function sha256Of(key: string): Buffer {
  return createHash('sha256').update(key).digest()
}
