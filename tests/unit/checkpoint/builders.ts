/** Small writers of the formats under test: pickles opcode by opcode, zip files (zip64 too), safetensors. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const folder = mkdtempSync(join(tmpdir(), 'onepeace-checkpoint-'))
let files = 0
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))

/** Writes a file that goes with the test process. */
export function tempFile(content: Uint8Array): string {
  const path = join(folder, `${files++}.bin`)
  writeFileSync(path, content)
  return path
}

function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16LE(value)
  return bytes
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

function u64(value: bigint | number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt(value))
  return bytes
}

/** Pieces of a pickle, by the names of pickletools. */
export const op = {
  start: Buffer.from([0x80, 2]),
  stop: Buffer.from('.'),
  mark: Buffer.from('('),
  none: Buffer.from('N'),
  true: Buffer.from([0x88]),
  emptyDict: Buffer.from('}'),
  emptyList: Buffer.from(']'),
  emptyTuple: Buffer.from(')'),
  append: Buffer.from('a'),
  tuple: Buffer.from('t'),
  tuple1: Buffer.from([0x85]),
  setItem: Buffer.from('s'),
  setItems: Buffer.from('u'),
  reduce: Buffer.from('R'),
  newObject: Buffer.from([0x81]),
  build: Buffer.from('b'),
  persistentId: Buffer.from('Q'),
  stackGlobal: Buffer.from([0x93]),
  text: (value: string) => Buffer.concat([Buffer.from('X'), u32(Buffer.byteLength(value)), Buffer.from(value)]),
  /** BININT, or LONG1 of 8 bytes where that is too small. */
  int: (value: number) => {
    if (value === (value | 0)) return Buffer.concat([Buffer.from('J'), u32(value >>> 0)])
    return Buffer.concat([Buffer.from([0x8a, 8]), u64(BigInt.asUintN(64, BigInt(value)))])
  },
  float: (value: number) => {
    const bytes = Buffer.alloc(9)
    bytes.writeUInt8(0x47)
    bytes.writeDoubleBE(value, 1)
    return bytes
  },
  global: (module: string, name: string) => Buffer.from(`c${module}\n${name}\n`),
  put: (key: number) => Buffer.concat([Buffer.from('r'), u32(key)]),
  get: (key: number) => Buffer.concat([Buffer.from('j'), u32(key)]),
  long4: (bytes: number) => Buffer.concat([Buffer.from([0x8b]), u32(bytes)]),
}

const tuple = (...items: Buffer[]) => Buffer.concat([op.mark, ...items, op.tuple])

export function dict(entries: Record<string, Buffer>): Buffer {
  const items = Object.entries(entries).flatMap(([key, value]) => [op.text(key), value])
  return Buffer.concat([op.emptyDict, op.mark, ...items, op.setItems])
}

export interface TensorSpec {
  key: string
  /** e.g. `FloatStorage` */
  storage: string
  storageElements: number
  offset?: number
  shape: number[]
  strides: number[]
}

/** The pickle of a tensor as torch writes it. */
export function tensor({ key, storage, storageElements, offset = 0, shape, strides }: TensorSpec): Buffer {
  const id = tuple(
    op.text('storage'),
    op.global('torch', storage),
    op.text(key),
    op.text('cpu'),
    op.int(storageElements),
  )
  const hooks = Buffer.concat([op.global('collections', 'OrderedDict'), op.emptyTuple, op.reduce])
  const args = tuple(
    Buffer.concat([id, op.persistentId]),
    op.int(offset),
    tuple(...shape.map(op.int)),
    tuple(...strides.map(op.int)),
    Buffer.from([0x89]),
    hooks,
  )
  return Buffer.concat([op.global('torch._utils', '_rebuild_tensor_v2'), args, op.reduce])
}

export const pickle = (...parts: Buffer[]) => Buffer.concat([op.start, ...parts, op.stop])

export interface ZipOptions {
  /** Writes sizes, offsets and the directory's end in zip64 form. */
  zip64?: boolean
  /** Compression method that the entries claim; 0 is stored. */
  method?: number
}

/** A zip file of stored entries (APPNOTE.TXT §4.3). */
export function zip(entries: Record<string, Uint8Array>, { zip64 = false, method = 0 }: ZipOptions = {}): Buffer {
  const locals: Buffer[] = []
  const directory: Buffer[] = []
  let at = 0
  for (const [name, content] of Object.entries(entries)) {
    const size = zip64 ? u32(0xffffffff) : u32(content.length)
    const sizes64 = Buffer.concat([u64(content.length), u64(content.length)])
    const shared = (extra: Buffer) =>
      Buffer.concat([u16(45), u16(0), u16(method), u32(0), u32(0), size, size, u16(name.length), u16(extra.length)])
    const localExtra = zip64 ? Buffer.concat([u16(1), u16(16), sizes64]) : Buffer.alloc(0)
    const extra = zip64 ? Buffer.concat([u16(1), u16(24), sizes64, u64(at)]) : Buffer.alloc(0)
    const offset = zip64 ? u32(0xffffffff) : u32(at)
    const local = Buffer.concat([u32(0x04034b50), shared(localExtra), Buffer.from(name), localExtra, content])
    const rest = Buffer.concat([u16(0), u16(0), u16(0), u32(0), offset])
    directory.push(Buffer.concat([u32(0x02014b50), u16(45), shared(extra), rest, Buffer.from(name), extra]))
    locals.push(local)
    at += local.length
  }
  return Buffer.concat([...locals, ...directory, directoryEnd(at, directory, zip64)])
}

function directoryEnd(at: number, directory: Buffer[], zip64: boolean): Buffer {
  const count = directory.length
  const bytes = directory.reduce((sum, entry) => sum + entry.length, 0)
  if (!zip64) {
    return Buffer.concat([u32(0x06054b50), u32(0), u16(count), u16(count), u32(bytes), u32(at), u16(0)])
  }
  const record = [u64(44), u16(45), u16(45), u32(0), u32(0), u64(count), u64(count), u64(bytes), u64(at)]
  const locator = Buffer.concat([u32(0x07064b50), u32(0), u64(at + bytes), u32(1)])
  const end = [u32(0), u16(0xffff), u16(0xffff), u32(0xffffffff), u32(0xffffffff), u16(0)]
  return Buffer.concat([u32(0x06064b50), ...record, locator, u32(0x06054b50), ...end])
}

/** A torch zip file of one pickle and its storages. */
export function torchFile(data: Buffer, storages: Record<string, Uint8Array> = {}, options: ZipOptions = {}): string {
  const named = Object.entries(storages).map(([key, content]) => [`archive/data/${key}`, content])
  return tempFile(zip({ 'archive/data.pkl': data, ...Object.fromEntries(named) }, options))
}

/** A safetensors file of this header and data; `length` lets the header's length lie. */
export function safetensorsFile(header: unknown, data: Uint8Array, length?: number): string {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header))
  return tempFile(Buffer.concat([u64(length ?? json.length), json, data]))
}

/** The little-endian bytes of a typed array. */
export const bytesOf = (values: ArrayBufferView) => new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
