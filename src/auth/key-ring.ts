/**
 * The keys as the running service sees them. In: what a request bore. Out: the record of that key, if it is one. The file is
 * looked at again once a second at most, so that a key made or revoked meanwhile counts within a second.
 */
import { timingSafeEqual } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { keyFileOf, readKeys } from './key-file.ts'
import { type KeyRecord, sha256Of } from './keys.ts'

const CHECK_EVERY_MS = 1000

interface Snapshot {
  /** What changes with the file. */
  stamp: string
  /** Undefined if there is no file. */
  keys: { record: KeyRecord; hash: Buffer }[] | undefined
}

export class KeyRing {
  readonly #path: string
  readonly #checkEveryMs: number
  #checkedAtMs = Date.now()
  #snapshot: Promise<Snapshot>

  private constructor(path: string, checkEveryMs: number) {
    this.#path = path
    this.#checkEveryMs = checkEveryMs
    this.#snapshot = load(path)
  }

  /** @param checkEveryMs how long a change may go unnoticed. @throws KeysError if the file cannot be read */
  static async open(dataDir: string, checkEveryMs = CHECK_EVERY_MS): Promise<KeyRing> {
    const ring = new KeyRing(keyFileOf(dataDir), checkEveryMs)
    await ring.#snapshot
    return ring
  }

  /**
   * Whether requests need a key: from the first key on, and also when the last one is revoked, since taking a key from
   * someone must not open the service to everyone. @throws KeysError if the file cannot be read
   */
  async hasKeys(): Promise<boolean> {
    return (await this.#current()).keys !== undefined
  }

  /** Compares with every key, in a time that tells nothing of any. @throws KeysError if the file cannot be read */
  async find(key: string): Promise<KeyRecord | undefined> {
    const given = sha256Of(key)
    let found: KeyRecord | undefined
    for (const { record, hash } of (await this.#current()).keys ?? []) {
      if (timingSafeEqual(given, hash)) found = record
    }
    return found
  }

  #current(): Promise<Snapshot> {
    if (Date.now() - this.#checkedAtMs >= this.#checkEveryMs) {
      this.#checkedAtMs = Date.now()
      this.#snapshot = this.#snapshot.then(
        (before) => load(this.#path, before),
        () => load(this.#path),
      )
      this.#snapshot.catch(() => undefined) // whoever awaits it is told; nobody may be awaiting it
    }
    return this.#snapshot
  }
}

async function load(path: string, before?: Snapshot): Promise<Snapshot> {
  const stamp = await stampOf(path)
  if (before?.stamp === stamp) return before
  const records = await readKeys(path)
  return { stamp, keys: records?.map((record) => ({ record, hash: Buffer.from(record.sha256, 'hex') })) }
}

/** Every change is a new file by rename, so the inode tells even two within one tick of the clock. */
async function stampOf(path: string): Promise<string> {
  const stats = await stat(path).catch(() => undefined)
  return stats === undefined ? '' : `${stats.ino} ${stats.mtimeMs} ${stats.size}`
}
