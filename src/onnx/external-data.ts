/**
 * Writer of one external data file: tensors one after another, each at an offset that is a multiple of 64 bytes, so that
 * a runtime may map the file and use vectors in place. A tensor equal to one already there takes no place of its own:
 * several graphs with the same trunk cost no more than one. Holds two tensors at a time.
 */
import { createHash } from 'node:crypto'
import { type FileHandle, open } from 'node:fs/promises'
import { basename } from 'node:path'
import type { DataType, ExternalLocation } from './proto.ts'

const ALIGNMENT = 64
/** After so many bytes the system is told to write to the disk what it holds, so that little is left to wait for at the end. */
const FLUSH_BYTES = 256 << 20

export interface ExternalTensor {
  dtype: DataType
  dims: readonly number[]
  location: ExternalLocation
  /** Of a matrix stored in blocks (`quantise.ts`): dtype uint8, dims (N, blocks of a row, bytes of a block). */
  blocks?: BlockFormat
  /** Of a matrix whose rows were rotated before they were quantised (`hadamard.ts`): so many values at a time. */
  rotation?: number
}

/** How the rows of a matrix are cut: `columns` K values a row, `size` of them to a block, each in so many bits. */
export interface BlockFormat {
  bits: 4 | 8
  size: number
  columns: number
}

export class ExternalDataWriter {
  readonly #file: FileHandle
  readonly #name: string
  readonly #hash = createHash('sha256')
  /** By dtype, shape and SHA-256 of the bytes. */
  readonly #stored = new Map<string, ExternalTensor>()
  #offset = 0
  /** The write in progress: the next tensor is made meanwhile, and one waits at most. */
  #writing: Promise<void> = Promise.resolve()
  #flushing: Promise<void> = Promise.resolve()
  #unflushed = 0

  private constructor(file: FileHandle, name: string) {
    this.#file = file
    this.#name = name
  }

  /** Creates or truncates the file at `path`. */
  static async create(path: string): Promise<ExternalDataWriter> {
    return new ExternalDataWriter(await open(path, 'w'), basename(path))
  }

  /** Where a tensor's contiguous little-endian bytes lie, after writing them unless they are there already; they must not change
   * afterwards. */
  async add(dtype: DataType, dims: readonly number[], data: Uint8Array): Promise<ExternalTensor> {
    const key = `${dtype}[${dims}]${createHash('sha256').update(data).digest('base64')}`
    const stored = this.#stored.get(key) ?? { dtype, dims, location: await this.#append(data) }
    this.#stored.set(key, stored)
    return stored
  }

  async #append(data: Uint8Array): Promise<ExternalLocation> {
    await this.#write(new Uint8Array((ALIGNMENT - (this.#offset % ALIGNMENT)) % ALIGNMENT))
    const location = { file: this.#name, offset: this.#offset, bytes: data.byteLength }
    await this.#write(data)
    return location
  }

  /** Resolves once what was written before is in the file. Rejects with the reason if that failed. */
  async #write(data: Uint8Array): Promise<void> {
    await this.#writing
    this.#writing = this.#writeAll(data)
    this.#writing.catch(() => {}) // told by the next write, or by `finish`
    this.#hash.update(data)
    this.#offset += data.length
    this.#unflushed += data.length
    if (this.#unflushed >= FLUSH_BYTES) await this.#flush()
  }

  /** Begins to flush, once the flush before has ended. Rejects with the reason if that failed. */
  async #flush(): Promise<void> {
    this.#unflushed = 0
    await this.#flushing
    this.#flushing = this.#file.datasync()
    this.#flushing.catch(() => {}) // told by the next flush, or by `finish`
  }

  async #writeAll(data: Uint8Array): Promise<void> {
    for (let start = 0; start < data.length; ) {
      const { bytesWritten } = await this.#file.write(data, start, data.length - start)
      start += bytesWritten
    }
  }

  /** Flushes to disk and closes. */
  async finish(): Promise<{ path: string; bytes: number; sha256: string }> {
    await this.#writing
    await this.#flushing
    await this.#file.sync()
    await this.#file.close()
    return { path: this.#name, bytes: this.#offset, sha256: this.#hash.digest('hex') }
  }

  /** Closes without promise of completeness, after a failure. */
  async abandon(): Promise<void> {
    await this.#writing.catch(() => {})
    await this.#flushing.catch(() => {})
    await this.#file.close()
  }
}
