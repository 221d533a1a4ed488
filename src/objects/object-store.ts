/**
 * The port between rooms that keep files and where these lie: in a folder (`folder-objects.ts`), or in a bucket that speaks S3
 * (`s3-objects.ts`). Both must pass `tests/contract/object-store.ts`.
 *
 * An object appears whole, and is durable when the call that wrote it resolves. Several processes may use one store at once.
 */
import type { Readable } from 'node:stream'
import { DomainError } from '../errors.ts'

export interface ObjectInfo {
  bytes: number
  /** When it was last written, ms since 1970 by the clock of whoever keeps it. */
  modifiedAtMs: number
}

/** First and last byte, both included. */
export interface ByteRange {
  start: number
  end: number
}

export interface UploadGrant {
  /** Bytes the upload must have. */
  bytes: number
  mediaType: string
  /** Lower-case hex; what is sent must have it. */
  sha256?: string | undefined
  expiresS: number
}

/** Where and how somebody without our credentials may write one object. */
export interface SignedUpload {
  url: string
  /** To be sent as they are; the length is one more, which every client sends by itself. */
  headers: Record<string, string>
}

/**
 * Keys are names joined by `/`, of letters, digits, `-`, `_` and `.`, none beginning with a dot. Every method throws
 * `ObjectStoreError`, and nothing else, where the store cannot be used.
 */
export interface ObjectStore {
  /** Resolves if the store can be reached and is ours to use. */
  ready(): Promise<void>
  /** Creates or replaces. */
  put(key: string, bytes: Uint8Array | string): Promise<void>
  /** Of several who create one key, in one process or many, one succeeds. @returns whether it was this call */
  create(key: string, bytes: Uint8Array | string): Promise<boolean>
  /** @returns undefined if there is no such object */
  stat(key: string): Promise<ObjectInfo | undefined>
  /** The whole. @returns undefined if there is no such object */
  get(key: string): Promise<Buffer | undefined>
  /** As it comes, whole or in part. @returns undefined if there is no such object */
  open(key: string, range?: ByteRange): Promise<Readable | undefined>
  /** Also where there is none. */
  delete(key: string): Promise<void>
  /** Those whose keys begin with `prefix`, in no order; what is written or deleted meanwhile may be missing or not. */
  list(prefix?: string): AsyncIterable<ObjectInfo & { key: string }>
  /** Absent where uploads have to go through the service. */
  signUpload?(key: string, grant: UploadGrant): Promise<SignedUpload>
}

/** The store cannot be used now. */
export class ObjectStoreError extends Error {
  override name = 'ObjectStoreError'
  /** Why, to stand behind "as": `the disk is full`. */
  readonly why: string

  constructor(why: string, options?: ErrorOptions) {
    super(`The files cannot be used, as ${why}.`, options)
    this.why = why
  }
}

/** Seconds after which it may have been mended. */
const RETRY_AFTER_S = 30

/**
 * The outcome of a call, its failure told in the words of the room.
 * @param what that failed: `The original could not be kept`
 * @throws DomainError `vector-store-unavailable`
 */
export async function told<T>(what: string, call: Promise<T>): Promise<T> {
  try {
    return await call
  } catch (error) {
    if (!(error instanceof ObjectStoreError)) throw error
    const message = `${what}, as ${error.why}. The operator has to mend it.`
    throw new DomainError('vector-store-unavailable', message, { cause: error, retryAfterS: RETRY_AFTER_S })
  }
}

/** Deletes what was last written before `time` (ms since 1970). @returns how many objects. @throws ObjectStoreError */
export async function deleteBefore(objects: ObjectStore, time: number): Promise<number> {
  let deleted = 0
  for await (const { key, modifiedAtMs } of objects.list()) {
    if (modifiedAtMs >= time) continue
    await objects.delete(key)
    deleted++
  }
  return deleted
}

const KEY = /^(?:[A-Za-z0-9_-][A-Za-z0-9._-]*\/)*[A-Za-z0-9_-][A-Za-z0-9._-]*$/

/** @throws RangeError: a key that is none is a defect of the caller, never a wish of a client */
export function assertKey(key: string): void {
  if (!KEY.test(key)) throw new RangeError(`Not a key: ${key}`)
}
