/**
 * Records of writes by the hash of their key, each a JSON object that is replaced whole:
 *
 *   ab/abcdef…     named by lower-case hex SHA-256
 */
import { deleteBefore, type ObjectStore, told } from '../objects/object-store.ts'

export interface WriteRecord {
  /** SHA-256 of the request that came first, lower-case hex. */
  request: string
  /** What is written bears this id, unless the request named another, and this time (ISO 8601). */
  id: string
  createdAt: string
  /** Absent until the write is done. */
  answer?: unknown
}

const SHA256 = /^[0-9a-f]{64}$/
const UNRECORDED = 'The request could not be recorded under its Idempotency-Key'

/** Every method throws DomainError `vector-store-unavailable` where records cannot be read or written. */
export class WriteJournal {
  readonly #objects: ObjectStore

  constructor(objects: ObjectStore) {
    this.#objects = objects
  }

  /**
   * Kept when it resolves. Of several who begin under one name, in one process or many, one succeeds.
   * @returns whether it was this call
   */
  begin(name: string, record: WriteRecord): Promise<boolean> {
    return told(UNRECORDED, this.#objects.create(keyOf(name), JSON.stringify(record)))
  }

  async read(name: string): Promise<WriteRecord | undefined> {
    const text = await told('What the Idempotency-Key stands for could not be read', this.#objects.get(keyOf(name)))
    return text && (JSON.parse(text.toString()) as WriteRecord)
  }

  /** Kept when it resolves. */
  write(name: string, record: WriteRecord): Promise<void> {
    return told(UNRECORDED, this.#objects.put(keyOf(name), JSON.stringify(record)))
  }

  delete(name: string): Promise<void> {
    return told(UNRECORDED, this.#objects.delete(keyOf(name)))
  }

  /** Deletes what was last written before `time` (ms since 1970). @returns how many */
  deleteBefore(time: number): Promise<number> {
    return deleteBefore(this.#objects, time)
  }
}

function keyOf(name: string): string {
  if (!SHA256.test(name)) throw new RangeError(`Not a SHA-256: ${name}`)
  return `${name.slice(0, 2)}/${name}`
}
