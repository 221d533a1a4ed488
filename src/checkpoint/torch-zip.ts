/**
 * torch.save's zip file (torch 1.6 and later) → configuration and places of tensors.
 *
 *   <any name>/data.pkl     the pickled object; tensors in it refer to storages by key
 *   <any name>/data/<key>   one storage each, its bytes stored as they are (not compressed), so that a tensor can be
 *                           read by position; several tensors may view one storage
 *   <any name>/byteorder    "little" (torch 2.1 and later)
 *
 * Reference: torch/serialization.py `_save`; zip64 in PKWARE's APPNOTE.TXT §4.3 (yauzl reads the directory).
 */
import type { FileHandle } from 'node:fs/promises'
import { type Entry, fromFdPromise, type ZipFile } from 'yauzl'
import { CheckpointError } from './checkpoint-error.ts'
import { readPickle } from './pickle.ts'
import {
  type PickleDict,
  PickleGlobal,
  PickleNamespace,
  PickleStorage,
  PickleTensor,
  type PickleValue,
} from './pickle-names.ts'
import { checkLayout, DTYPE_BYTES, readFully, type TensorLayout } from './tensor-layout.ts'

/** The pickle of a 4B model takes half a megabyte, of one with optimiser state a few. */
const MAX_PICKLE_BYTES = 64 << 20
/** Nested values of a configuration, shared ones counted each time; fairseq's has some 500. */
const MAX_CONFIG_VALUES = 100_000
const MAX_CONFIG_DEPTH = 64

/**
 * @throws CheckpointError if the zip file is damaged, its pickle asks for more than data, or a tensor lies outside
 */
export async function openTorchZip(
  handle: FileHandle,
  fileBytes: number,
): Promise<{ cfg: Record<string, unknown>; layouts: Map<string, TensorLayout> }> {
  const archive = await Archive.open(handle, fileBytes)
  const byteOrder = archive.has('byteorder') ? Buffer.from(await archive.read('byteorder', 64)).toString() : 'little'
  if (byteOrder !== 'little') throw new CheckpointError('It was saved on a big-endian machine; save it on another.')
  const top = readPickle(await archive.read('data.pkl', MAX_PICKLE_BYTES))
  if (!(top instanceof Map)) throw new CheckpointError('Its pickle is no dict; save a state dict with torch.save.')
  return { cfg: configOf(top), layouts: await layoutsOf(modelOf(top), archive, fileBytes) }
}

/** `args` of old fairseq files wins where it is not None (fairseq/checkpoint_utils.py:434). */
function configOf(top: PickleDict): Record<string, unknown> {
  const args = top.get('args')
  const source = args instanceof PickleNamespace || args instanceof Map ? args : top.get('cfg')
  if (!(source instanceof Map || source instanceof PickleNamespace)) return {}
  return new PlainConverter().convert(source) as Record<string, unknown>
}

/** The dict under `model`, or the whole file where it is a bare state dict. */
function modelOf(top: PickleDict): PickleDict {
  const model = top.get('model')
  if (model instanceof Map) return model
  if ([...top.values()].some((value) => value instanceof PickleTensor)) return top
  throw new CheckpointError('It holds no `model` dict and no tensors at the top level; save a state dict.')
}

async function layoutsOf(model: PickleDict, archive: Archive, fileBytes: number): Promise<Map<string, TensorLayout>> {
  const layouts = new Map<string, TensorLayout>()
  for (const [name, value] of model) {
    if (typeof name !== 'string' || !(value instanceof PickleTensor)) continue // e.g. counters beside the tensors
    const layout = await layoutOf(name, value, archive)
    checkLayout(layout, fileBytes)
    layouts.set(name, layout)
  }
  return layouts
}

async function layoutOf(name: string, tensor: PickleTensor, archive: Archive): Promise<TensorLayout> {
  const { dtype, offset, shape, strides, storage } = tensor
  const place = await archive.place(`data/${storage.key}`)
  const claimed = storage.elements * DTYPE_BYTES[storage.dtype]
  if (!(claimed <= place.bytes)) {
    throw new CheckpointError(
      `Tensor "${name}" claims a storage of ${claimed} bytes, but the file holds ${place.bytes}; fetch the file again.`,
    )
  }
  const storageElements = Math.floor(claimed / DTYPE_BYTES[dtype])
  return { name, dtype, shape, strides, offset, storageStart: place.start, storageElements }
}

/** The zip file's directory, and the places of its entries in the file. */
class Archive {
  private readonly places = new Map<string, { start: number; bytes: number }>()

  private constructor(
    private readonly handle: FileHandle,
    private readonly zip: ZipFile,
    private readonly entries: Map<string, Entry>,
    private readonly fileBytes: number,
  ) {}

  static async open(handle: FileHandle, fileBytes: number): Promise<Archive> {
    const entries = new Map<string, Entry>()
    try {
      // The handle stays ours: yauzl closes it only when told to.
      const zip = await fromFdPromise(handle.fd, { autoClose: false, lazyEntries: true })
      for await (const entry of zip.eachEntry()) {
        const inside = entry.fileName.slice(entry.fileName.indexOf('/') + 1)
        if (entries.has(inside)) throw new CheckpointError(`It holds the entry ${inside} twice; fetch it again.`)
        entries.set(inside, entry)
      }
      return new Archive(handle, zip, entries, fileBytes)
    } catch (cause) {
      if (cause instanceof CheckpointError) throw cause
      const { message } = cause as Error
      throw new CheckpointError(`It is a damaged zip file (${message}); fetch it again.`, { cause })
    }
  }

  has(name: string): boolean {
    return this.entries.has(name)
  }

  async read(name: string, maxBytes: number): Promise<Uint8Array> {
    const { start, bytes } = await this.place(name)
    if (bytes > maxBytes) throw new CheckpointError(`Its ${name} takes ${bytes} bytes, more than ${maxBytes}.`)
    const content = new Uint8Array(bytes)
    await readFully(this.handle, content, start, name)
    return content
  }

  /** Where the bytes of an entry lie in the file. */
  async place(name: string): Promise<{ start: number; bytes: number }> {
    const known = this.places.get(name)
    if (known) return known
    const entry = this.entries.get(name)
    if (!entry) throw new CheckpointError(`It lacks the entry ${name}; save it with torch.save, or fetch it again.`)
    if (entry.compressionMethod !== 0 || entry.isEncrypted()) {
      throw new CheckpointError(`Its entry ${name} is compressed or encrypted; save it with torch.save.`)
    }
    const place = { start: await this.dataStart(name, entry), bytes: entry.uncompressedSize }
    if (place.start + place.bytes > this.fileBytes) {
      throw new CheckpointError(`Its entry ${name} lies beyond the end of the file; fetch it again.`)
    }
    this.places.set(name, place)
    return place
  }

  private async dataStart(name: string, entry: Entry): Promise<number> {
    try {
      return (await this.zip.readLocalFileHeaderPromise(entry, { minimal: true })).fileDataStart
    } catch (cause) {
      const { message } = cause as Error
      throw new CheckpointError(`Its entry ${name} is damaged (${message}); fetch the file again.`, { cause })
    }
  }
}

/** Pickled values → plain objects and arrays. Bounded, as a small file can describe an endless or exploding value. */
class PlainConverter {
  private values = 0

  convert(value: PickleValue, depth = 0): unknown {
    if (depth > MAX_CONFIG_DEPTH || ++this.values > MAX_CONFIG_VALUES) {
      throw new CheckpointError('Its configuration is nested or repeated beyond measure; do not trust this file.')
    }
    if (Array.isArray(value)) return value.map((item) => this.convert(item, depth + 1))
    if (value instanceof PickleNamespace) return this.record(value.fields, depth)
    if (value instanceof Map) return this.record(value, depth)
    if (value instanceof PickleGlobal) return value.name
    if (value instanceof PickleTensor || value instanceof PickleStorage) return null
    return value
  }

  /** `fromEntries` defines own properties, so that a key like `__proto__` is an ordinary one. */
  private record(dict: PickleDict, depth: number): Record<string, unknown> {
    const isName = (key: PickleValue) => ['string', 'number', 'boolean'].includes(typeof key)
    return Object.fromEntries(
      [...dict].filter(([key]) => isName(key)).map(([key, item]) => [String(key), this.convert(item, depth + 1)]),
    )
  }
}
