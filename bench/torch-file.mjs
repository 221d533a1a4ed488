/**
 * Writes a torch zip file tensor by tensor, so that a checkpoint larger than memory can be made. A part of make-checkpoint.
 *
 * The pickle has what `torch.save` would write (protocol 2; torch/serialization.py), the zip is stored, with zip64 offsets where
 * an entry begins beyond 4 GiB (PKWARE's APPNOTE.TXT §4.3).
 */
import { open } from 'node:fs/promises'
import { crc32 } from 'node:zlib'

const STORAGE = { fp32: 'FloatStorage', fp16: 'HalfStorage', bf16: 'BFloat16Storage' }
const FAR = 0xffffffff

/** `tensors`: { name, shape } each; `fill(tensor)` gives the bytes of one, asked for in order. */
export async function writeTorchFile(path, { cfg, tensors, dtype, fill, onBytes }) {
  const file = await open(path, 'w')
  const zip = new ZipWriter(file)
  try {
    await zip.add('archive/data.pkl', checkpointPickle(cfg, tensors, dtype))
    await zip.add('archive/byteorder', Buffer.from('little'))
    await zip.add('archive/version', Buffer.from('3\n'))
    for (const [key, tensor] of tensors.entries()) {
      const bytes = fill(tensor)
      await zip.add(`archive/data/${key}`, bytes)
      onBytes?.(bytes.length)
    }
    await zip.finish()
  } finally {
    await file.close()
  }
}

class ZipWriter {
  #at = 0
  #directory = []

  constructor(file) {
    this.file = file
  }

  async add(name, content) {
    const sizes = [...u32(crc32(content)), ...u32(content.length), ...u32(content.length)]
    // torch maps tensors at multiples of 64 bytes; a field of unknown kind makes up the difference.
    const padding = (64 - ((this.#at + 30 + name.length + 4) % 64)) % 64
    const extra = [...u16(0x4246), ...u16(padding), ...new Uint8Array(padding)]
    const head = (room) => [...u16(45), ...u16(0), ...u16(0), ...u32(0), ...sizes, ...u16(name.length), ...u16(room)]
    const local = Buffer.from([...u32(0x04034b50), ...head(extra.length), ...Buffer.from(name), ...extra])
    const far = this.#at >= FAR
    const place = far ? [...u16(1), ...u16(8), ...u64(this.#at)] : []
    const rest = [...u16(0), ...u16(0), ...u16(0), ...u32(0), ...u32(far ? FAR : this.#at)]
    this.#directory.push(
      Buffer.from([...u32(0x02014b50), ...u16(45), ...head(place.length), ...rest, ...Buffer.from(name), ...place]),
    )
    await this.#write(local)
    await this.#write(content)
  }

  async finish() {
    const at = this.#at
    const directory = Buffer.concat(this.#directory)
    const counts = [...u64(this.#directory.length), ...u64(this.#directory.length)]
    await this.#write(directory)
    const record = [
      ...u64(44),
      ...u16(45),
      ...u16(45),
      ...u32(0),
      ...u32(0),
      ...counts,
      ...u64(directory.length),
      ...u64(at),
    ]
    const locator = [...u32(0x07064b50), ...u32(0), ...u64(at + directory.length), ...u32(1)]
    const end = [...u32(0), ...u16(0xffff), ...u16(0xffff), ...u32(FAR), ...u32(FAR), ...u16(0)]
    await this.#write(Buffer.from([...u32(0x06064b50), ...record, ...locator, ...u32(0x06054b50), ...end]))
  }

  async #write(bytes) {
    for (let done = 0; done < bytes.length; )
      done += (await this.file.write(bytes, done, bytes.length - done)).bytesWritten
    this.#at += bytes.length
  }
}

/** {'args': None, 'cfg': …, 'model': OrderedDict of tensors}, as the official trainer writes it. */
function checkpointPickle(cfg, tensors, dtype) {
  const rebuilt = tensors.map(({ name, shape }, key) => Buffer.concat([text(name), tensorPickle(key, shape, dtype)]))
  const model = [ORDERED_DICT, Buffer.from('('), ...rebuilt, Buffer.from('u')]
  const entries = [text('args'), Buffer.from('N'), text('cfg'), value(cfg), text('model'), ...model]
  return Buffer.concat([Buffer.from([0x80, 2]), Buffer.from('}('), ...entries, Buffer.from('u.')])
}

const ORDERED_DICT = Buffer.from('ccollections\nOrderedDict\n)R')

function tensorPickle(key, shape, dtype) {
  const elements = shape.reduce((product, side) => product * side, 1)
  const strides = shape.map((_, d) => shape.slice(d + 1).reduce((product, side) => product * side, 1))
  const storage = tuple(
    text('storage'),
    Buffer.from(`ctorch\n${STORAGE[dtype]}\n`),
    text(`${key}`),
    text('cpu'),
    int(elements),
  )
  const sides = [tuple(...shape.map(int)), tuple(...strides.map(int))]
  const args = tuple(storage, Buffer.from('Q'), int(0), ...sides, Buffer.from([0x89]), ORDERED_DICT)
  return Buffer.concat([Buffer.from('ctorch._utils\n_rebuild_tensor_v2\n'), args, Buffer.from('R')])
}

/** Plain data as a pickle. */
function value(data) {
  if (data === null) return Buffer.from('N')
  if (typeof data === 'boolean') return Buffer.from([data ? 0x88 : 0x89])
  if (typeof data === 'string') return text(data)
  if (typeof data === 'number') return Number.isInteger(data) ? int(data) : float(data)
  return Buffer.concat([
    Buffer.from('}('),
    ...Object.entries(data).flatMap(([key, item]) => [text(key), value(item)]),
    Buffer.from('u'),
  ])
}

const tuple = (...items) => Buffer.concat([Buffer.from('('), ...items, Buffer.from('t')])
const text = (string) =>
  Buffer.concat([Buffer.from('X'), Buffer.from(u32(Buffer.byteLength(string))), Buffer.from(string)])
const int = (number) => Buffer.concat([Buffer.from('J'), Buffer.from(u32(number))])
function float(number) {
  const bytes = Buffer.alloc(9, 0x47)
  bytes.writeDoubleBE(number, 1)
  return bytes
}
const u16 = (number) => [number & 0xff, (number >>> 8) & 0xff]
const u32 = (number) => [number & 0xff, (number >>> 8) & 0xff, (number >>> 16) & 0xff, (number >>> 24) & 0xff]
const u64 = (number) => [...u32(number % 2 ** 32), ...u32(Math.floor(number / 2 ** 32))]
