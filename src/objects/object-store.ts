/**
 * Bytes by key. Keys are steps of `A-Z a-z 0-9 . _ -`, joined by `/`; a folder of keys is a prefix that ends with `/`.
 * Each put is whole or absent, whatever ends the process; several processes may share a store.
 */
export interface ObjectStore {
  /** Creates or replaces; durable when it resolves. @throws DomainError `vector-store-unavailable` if it cannot be written */
  put(key: string, bytes: Uint8Array | string): Promise<void>
  get(key: string): Promise<Buffer | undefined>
  /** Keys of a folder and those below, in code point order. @param after only keys that come later */
  list(folder: string, after?: string): AsyncIterable<string>
  /** What is not there may be deleted, too. */
  delete(key: string): Promise<void>
  /** Deletes a folder with all below. */
  deleteAll(folder: string): Promise<void>
}
