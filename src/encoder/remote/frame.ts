/**
 * A frame of the encoder protocol: a JSON header and tensors, in one run of bytes.
 *
 *   offset 0    'OPE1'            magic, with the version of the protocol
 *          4    u32               length of the header in bytes, a multiple of 8
 *          8    JSON, UTF-8       header, padded with spaces
 *          …    sections          tensors in the order of the header, each padded with zeros to a multiple of 8 bytes
 *
 * All numbers are little-endian, so that on every machine this runs on a section is a view of the frame: nothing is parsed.
 */
import { endianness } from 'node:os'

/** The bytes are not one of our frames; the message says where. */
export class WireFormatError extends Error {
  override name = 'WireFormatError'
}

const MAGIC = Buffer.from('OPE1')
const STEP = 8
if (endianness() !== 'LE') throw new Error('The encoder protocol needs a little-endian machine.')

/** @param sections in the order in which the header speaks of them */
export function frame(header: object, sections: readonly ArrayBufferView[]): Buffer {
  const json = Buffer.from(JSON.stringify(header))
  const headerBytes = padded(json.length)
  const start = MAGIC.length + 4 + headerBytes
  const total = sections.reduce((sum, { byteLength }) => sum + padded(byteLength), start)
  const bytes = Buffer.allocUnsafeSlow(total) // a pooled one could start anywhere, and its views be misaligned
  MAGIC.copy(bytes)
  bytes.writeUInt32LE(headerBytes, MAGIC.length)
  bytes.fill(' ', MAGIC.length + 4, start)
  json.copy(bytes, MAGIC.length + 4)
  let at = start
  for (const { buffer, byteOffset, byteLength } of sections) {
    bytes.set(new Uint8Array(buffer, byteOffset, byteLength), at)
    bytes.fill(0, at + byteLength, at + padded(byteLength))
    at += padded(byteLength)
  }
  return bytes
}

/** @throws WireFormatError */
export function parseFrame(bytes: Uint8Array): { header: object; sections: Sections } {
  // Views of four bytes a number need an address that is a multiple of four.
  const whole = bytes.byteOffset % STEP === 0 ? bytes : bytes.slice()
  const view = Buffer.from(whole.buffer, whole.byteOffset, whole.byteLength)
  const start = MAGIC.length + 4
  if (view.length < start || !view.subarray(0, MAGIC.length).equals(MAGIC)) {
    throw new WireFormatError('This is no frame of the encoder protocol, version 1.')
  }
  const headerBytes = view.readUInt32LE(MAGIC.length)
  if (headerBytes % STEP !== 0 || start + headerBytes > view.length) {
    throw new WireFormatError('The header is longer than the frame.')
  }
  const header: unknown = jsonOf(view.subarray(start, start + headerBytes))
  if (typeof header !== 'object' || header === null) throw new WireFormatError('The header is no object.')
  return { header, sections: new Sections(view, start + headerBytes) }
}

function jsonOf(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch (cause) {
    throw new WireFormatError('The header is not JSON.', { cause })
  }
}

/** The tensors of a frame, taken one after the other. */
export class Sections {
  constructor(
    private readonly bytes: Buffer,
    private at: number,
  ) {}

  uint8(count: number | undefined): Uint8Array {
    const from = this.take(count, 1)
    return new Uint8Array(this.bytes.buffer, from, count)
  }

  int32(count: number | undefined): Int32Array {
    return new Int32Array(this.bytes.buffer, this.take(count, 4), count)
  }

  float32(count: number | undefined): Float32Array {
    return new Float32Array(this.bytes.buffer, this.take(count, 4), count)
  }

  /** @throws WireFormatError if something is left */
  end(): void {
    if (this.at !== this.bytes.length) throw new WireFormatError('The frame is longer than its header says.')
  }

  /** @returns where the section starts in the buffer */
  private take(count: number | undefined, bytesEach: number): number {
    const length = isCount(count) ? count * bytesEach : Number.NaN
    const from = this.at
    this.at += padded(length)
    if (!(this.at <= this.bytes.length)) throw new WireFormatError('The frame is shorter than its header says.')
    return this.bytes.byteOffset + from
  }
}

export const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0
const padded = (length: number): number => Math.ceil(length / STEP) * STEP
