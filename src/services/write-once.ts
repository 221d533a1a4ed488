/**
 * A write that a client may send again under one key: it is done once, and answered alike each time.
 *
 *   begun on disk ─► write ─► answer on disk ─► answer
 *
 * A repeat that finds the answer gets it. One that finds only the beginning, as the process died in between, the store did not
 * answer, or another process is still at it, writes again with the id and time of the first attempt, by which each knows the
 * other's work for its own: the store lets one of them create the item, and both give it as their answer.
 * A refusal (4xx) is not kept: nothing was written, and the next attempt may fare better.
 */
import { createHash, randomBytes, randomInt } from 'node:crypto'
import { DomainError } from '../errors.ts'
import type { WriteJournal, WriteRecord } from '../journal/write-journal.ts'
import { KeyedSerial } from '../serial.ts'

/** What tells one request of a client from another. */
export interface WriteKey {
  tenant: string
  /** The client's own, and the line where a request is many writes. */
  key: string
  line?: number
  /** SHA-256 of all that was asked for, lower-case hex. */
  request: string
}

export interface Attempt {
  /** For what the request gives no id. */
  id: string
  /** ISO 8601, UTC. */
  createdAt: string
  /** Whether an earlier attempt may have written already; what it wrote bears `createdAt`. */
  isRepeat: boolean
  /** Whether others may be at the same attempt now: what is found taken and bears `createdAt` is this attempt's, too. */
  isKeyed: boolean
  /** Kept with an item, beside its id and time, where one request makes many at the same time: a line of a job. */
  mark?: string
}

export function newAttempt(): Attempt {
  return { id: timeOrderedId(), createdAt: timestamp(), isRepeat: false, isKeyed: false }
}

/** What `write` makes; or what is taken already, where another process was quicker with this very attempt. @param own finds that */
export async function writtenOr<T>(
  own: () => Promise<T | undefined>,
  { isKeyed }: Attempt,
  write: () => Promise<T>,
): Promise<T> {
  try {
    return await write()
  } catch (error) {
    const isTaken = isKeyed && error instanceof DomainError && error.code === 'conflict'
    const others = isTaken ? await own() : undefined
    if (others === undefined) throw error
    return others
  }
}

/** How long a key is remembered, from its last write on. */
const KEPT_MS = 24 * 60 * 60 * 1000
/** Codes after which it is not certain that nothing was written. */
const UNCERTAIN = [
  'internal',
  'encoder-unavailable',
  'encoder-starting',
  'vector-store-unavailable',
  'queue-unavailable',
  'deadline-exceeded',
  'overloaded',
]

export class WriteOnce {
  readonly #journal: WriteJournal
  readonly #busy = new KeyedSerial()

  constructor(journal: WriteJournal) {
    this.#journal = journal
  }

  /**
   * @param key undefined for a request that will not be repeated
   * @param write its answer must be JSON
   * @returns the answer, and whether it is that of an earlier request
   * @throws DomainError `idempotency-key-reused`, `vector-store-unavailable` (no record can be written), and those of `write`
   */
  async run<T>(
    key: WriteKey | undefined,
    write: (attempt: Attempt) => Promise<T>,
  ): Promise<{ answer: T; isReplay: boolean }> {
    if (key === undefined) return { answer: await write(newAttempt()), isReplay: false }
    const name = nameOf(key)
    return this.#busy.run(name, () => this.#once(name, key.request, write))
  }

  async #once<T>(name: string, request: string, write: (attempt: Attempt) => Promise<T>) {
    const { record, isRepeat } = await this.#begin(name, request)
    if (record.request !== request) throw reused()
    if ('answer' in record) return { answer: record.answer as T, isReplay: true }
    const { id, createdAt } = record
    const answer = await this.#attempt(name, () => write({ id, createdAt, isRepeat, isKeyed: true }))
    await this.#journal.write(name, { request, id, createdAt, answer })
    return { answer, isReplay: false }
  }

  /** The record of the first attempt, which may be this one. */
  async #begin(name: string, request: string): Promise<{ record: WriteRecord; isRepeat: boolean }> {
    for (;;) {
      const { id, createdAt } = newAttempt()
      const record = { request, id, createdAt }
      if (await this.#journal.begin(name, record)) return { record, isRepeat: false }
      const before = await this.#journal.read(name)
      if (before) return { record: before, isRepeat: true } // else it was refused in between, and is forgotten
    }
  }

  async #attempt<T>(name: string, write: () => Promise<T>): Promise<T> {
    try {
      return await write()
    } catch (error) {
      const isRefusal = error instanceof DomainError && !UNCERTAIN.includes(error.code)
      if (isRefusal) await this.#journal.delete(name)
      throw error
    }
  }

  /** Deletes the records of old keys. @returns how many */
  sweep(): Promise<number> {
    return this.#journal.deleteBefore(Date.now() - KEPT_MS)
  }
}

function nameOf({ tenant, key, line }: WriteKey): string {
  return createHash('sha256')
    .update(JSON.stringify([tenant, key, line]))
    .digest('hex')
}

function reused(): DomainError {
  const message = 'The Idempotency-Key was sent before with another request; use a new key for each request.'
  return new DomainError('idempotency-key-reused', message)
}

/** ISO 8601. The digits below the millisecond are chance: they tell attempts of one moment apart. */
function timestamp(): string {
  return new Date().toISOString().replace('Z', `${String(randomInt(1000)).padStart(3, '0')}Z`)
}

/** RFC 9562 version 7: 48 bits of ms since 1970, then chance; ids made later sort later. */
export function timeOrderedId(): string {
  const bytes = randomBytes(16)
  bytes.writeUIntBE(Date.now(), 0, 6)
  bytes[6] = (bytes[6]! & 0x0f) | 0x70
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}
