/**
 * A write that a client may send again under one key: it is done once, and answered alike each time.
 *
 *   begun on disk ─► write ─► answer on disk ─► answer
 *
 * A repeat that finds the answer gets it. One that finds only the beginning, as the process died in between or the store did
 * not answer, writes again with the id and time of the first attempt, by which the first attempt's own work is known.
 * A refusal (4xx) is not kept: nothing was written, and the next attempt may fare better.
 */
import { createHash, randomBytes } from 'node:crypto'
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
  /** Kept with an item, beside its id and time, where one request makes many at the same time: a line of a job. */
  mark?: string
}

export function newAttempt(): Attempt {
  return { id: timeOrderedId(), createdAt: new Date().toISOString(), isRepeat: false }
}

/** How long a key is remembered, from its last write on. */
const KEPT_MS = 24 * 60 * 60 * 1000
const SWEEP_EVERY_MS = 60 * 60 * 1000
/** Codes after which it is not certain that nothing was written. */
const UNCERTAIN = [
  'internal',
  'encoder-unavailable',
  'vector-store-unavailable',
  'queue-unavailable',
  'deadline-exceeded',
  'overloaded',
]

export class WriteOnce {
  readonly #journal: WriteJournal
  readonly #busy = new KeyedSerial()
  #sweeping: NodeJS.Timeout | undefined

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
    const before = await this.#journal.read(name)
    if (before && before.request !== request) throw reused()
    if (before && 'answer' in before) return { answer: before.answer as T, isReplay: true }
    const { id, createdAt } = before ?? newAttempt()
    const begun: WriteRecord = { request, id, createdAt }
    if (!before) await this.#journal.write(name, begun)
    const answer = await this.#attempt(name, () => write({ id, createdAt, isRepeat: before !== undefined }))
    await this.#journal.write(name, { ...begun, answer })
    return { answer, isReplay: false }
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

  /** Forgets old keys now and every hour, until `close`. */
  async sweep(): Promise<void> {
    const sweepOnce = () => this.#journal.deleteBefore(Date.now() - KEPT_MS)
    this.#sweeping = setInterval(() => void sweepOnce().catch(() => undefined), SWEEP_EVERY_MS).unref()
    await sweepOnce()
  }

  close(): void {
    clearInterval(this.#sweeping)
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

/** RFC 9562 version 7: 48 bits of ms since 1970, then chance; ids made later sort later. */
export function timeOrderedId(): string {
  const bytes = randomBytes(16)
  bytes.writeUIntBE(Date.now(), 0, 6)
  bytes[6] = (bytes[6]! & 0x0f) | 0x70
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}
