/**
 * The keys as the running service sees them. In: what a request bore. Out: the record of that key, if it is one. The file is
 * looked at again once a second at most, so that a key made or revoked meanwhile counts within a second.
 */
import { timingSafeEqual } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { keyFileOf, parseKeys, readKeys } from './key-file.ts'
import { type KeyRecord, KeysError, sha256Of } from './keys.ts'

const CHECK_EVERY_MS = 1000

interface Snapshot {
  /** What changes with the file. */
  stamp: string
  /** Undefined if there is no file. */
  keys: { record: KeyRecord; hash: Buffer }[] | undefined
}

/** Reads the keys again, unless they are those of before. */
type Load = (before?: Snapshot) => Promise<Snapshot>

export class KeyRing {
  readonly #load: Load
  readonly #checkEveryMs: number
  #checkedAtMs = Date.now()
  #snapshot: Promise<Snapshot>

  private constructor(load: Load, checkEveryMs: number) {
    this.#load = load
    this.#checkEveryMs = checkEveryMs
    this.#snapshot = load()
  }

  /**
   * The keys of a data folder, if it has any.
   * @param checkEveryMs how long a change may go unnoticed
   * @throws KeysError if the file cannot be read
   */
  static open(dataDir: string, checkEveryMs = CHECK_EVERY_MS): Promise<KeyRing> {
    return KeyRing.#opened((before) => load(keyFileOf(dataDir), before), checkEveryMs)
  }

  /** The keys of a file that must be there: that it is missing must not open the service to everyone. @throws KeysError */
  static ofFile(path: string, checkEveryMs = CHECK_EVERY_MS): Promise<KeyRing> {
    const loadThere: Load = async (before) => {
      const snapshot = await load(path, before)
      if (snapshot.keys === undefined) throw new KeysError(`There is no file of keys at ${path}.`)
      return snapshot
    }
    return KeyRing.#opened(loadThere, checkEveryMs)
  }

  /** Keys that do not change while the process runs. @param text as `keys.json` has it. @throws KeysError */
  static ofText(text: string): Promise<KeyRing> {
    const snapshot = { stamp: '', keys: parseKeys(text, 'ONEPEACE_KEYS').map(hashed) }
    return KeyRing.#opened(async () => snapshot, Number.POSITIVE_INFINITY)
  }

  static async #opened(load: Load, checkEveryMs: number): Promise<KeyRing> {
    const ring = new KeyRing(load, checkEveryMs)
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
        (before) => this.#load(before),
        () => this.#load(),
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
  return { stamp, keys: records?.map(hashed) }
}

function hashed(record: KeyRecord) {
  return { record, hash: Buffer.from(record.sha256, 'hex') }
}

/** Every change is a new file by rename, so the inode tells even two within one tick of the clock. */
async function stampOf(path: string): Promise<string> {
  const stats = await stat(path).catch(() => undefined)
  return stats === undefined ? '' : `${stats.ino} ${stats.mtimeMs} ${stats.size}`
}
