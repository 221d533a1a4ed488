/**
 * Writer of one external data file: tensors one after another, each at an offset that is a multiple of 64 bytes, so that
 * a runtime may map the file and use vectors in place. Holds one tensor at a time.
 */
import { createHash } from 'node:crypto'
import { type FileHandle, open } from 'node:fs/promises'
import { basename } from 'node:path'
import type { DataType, ExternalLocation } from './proto.ts'

const ALIGNMENT = 64

export interface ExternalTensor {
  dtype: DataType
  dims: readonly number[]
  location: ExternalLocation
}

export class ExternalDataWriter {
  readonly #file: FileHandle
  readonly #name: string
  readonly #hash = createHash('sha256')
  readonly tensors = new Map<string, ExternalTensor>()
  #offset = 0

  private constructor(file: FileHandle, name: string) {
    this.#file = file
    this.#name = name
  }

  /** Creates or truncates the file at `path`. */
  static async create(path: string): Promise<ExternalDataWriter> {
    return new ExternalDataWriter(await open(path, 'w'), basename(path))
  }

  /** Appends a tensor's contiguous little-endian bytes under `name`, which must be new. */
  async add(name: string, dtype: DataType, dims: readonly number[], data: Uint8Array): Promise<void> {
    if (this.tensors.has(name)) throw new Error(`Tensor ${name} was written twice.`)
    await this.#write(new Uint8Array((ALIGNMENT - (this.#offset % ALIGNMENT)) % ALIGNMENT))
    const location = { file: this.#name, offset: this.#offset, bytes: data.byteLength }
    await this.#write(data)
    this.tensors.set(name, { dtype, dims, location })
  }

  async #write(data: Uint8Array): Promise<void> {
    for (let start = 0; start < data.length; ) {
      const { bytesWritten } = await this.#file.write(data, start, data.length - start)
      start += bytesWritten
    }
    this.#hash.update(data)
    this.#offset += data.length
  }

  /** Flushes to disk and closes. */
  async finish(): Promise<{ path: string; bytes: number; sha256: string }> {
    await this.#file.sync()
    await this.#file.close()
    return { path: this.#name, bytes: this.#offset, sha256: this.#hash.digest('hex') }
  }

  /** Closes without promise of completeness, after a failure. */
  async abandon(): Promise<void> {
    await this.#file.close()
  }
}
