/**
 * WAV, read exactly: integers become value / 2^(bits-1), as soundfile gives them, so that 16, 24 and 32 bits are the numbers
 * the reference saw. (The codec package divides positive and negative samples by different numbers.)
 *
 *   "RIFF" | size u32 | "WAVE" | chunks: id (4) | size u32 | body, padded to an even length
 *   "fmt ": format u16 | channels u16 | rate u32 | bytes/s u32 | block u16 | bits u16 [| size u16 | valid bits u16 |
 *           channel mask u32 | sub-format GUID, whose first two bytes are the real format]      all little-endian
 *
 * Source: Microsoft, "Multiple channel audio data and WAVE files".
 */
import { DomainError } from '../errors.ts'
import { isAscii } from './sniff.ts'

const PCM = 1
const IEEE_FLOAT = 3
const EXTENSIBLE = 0xfffe

export interface WavHeader {
  /** 1 integer, 3 float, others are coded. */
  encoding: number
  channels: number
  sampleRateHz: number
  bits: number
  /** Bytes of one sample of all channels. */
  blockBytes: number
  dataStart: number
  /** What lies in the file; less than `declaredBytes` if it was cut. */
  dataBytes: number
  declaredBytes: number
}

/** @throws DomainError `undecodable-media` */
export function readWavHeader(bytes: Uint8Array): WavHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let format: Pick<WavHeader, 'encoding' | 'channels' | 'sampleRateHz' | 'bits' | 'blockBytes'> | undefined
  for (let at = 12; at + 8 <= bytes.length; ) {
    const size = view.getUint32(at + 4, true)
    const body = at + 8
    if (isAscii(bytes, at, 'fmt ') && body + 16 <= bytes.length) format = readFormat(view, body, size)
    if (isAscii(bytes, at, 'data')) {
      if (!format) break
      const left = bytes.length - body
      // A recorder that streams cannot know the size and leaves 0 or all ones.
      const declaredBytes = size === 0 || size === 0xffffffff ? left : size
      return { ...format, dataStart: body, dataBytes: Math.min(declaredBytes, left), declaredBytes }
    }
    at = body + size + (size & 1)
  }
  throw new DomainError('undecodable-media', 'The WAV file has no format and data chunks, or they are cut off.')
}

function readFormat(view: DataView, at: number, size: number) {
  const tag = view.getUint16(at, true)
  const isExtensible = tag === EXTENSIBLE && size >= 26 && at + 26 <= view.byteLength
  return {
    encoding: isExtensible ? view.getUint16(at + 24, true) : tag,
    channels: view.getUint16(at + 2, true),
    sampleRateHz: view.getUint32(at + 4, true),
    blockBytes: view.getUint16(at + 12, true),
    bits: view.getUint16(at + 14, true),
  }
}

/** Reads the sample of which the first byte is at an offset. */
type SampleReader = (view: DataView, at: number) => number

const READERS: Record<string, SampleReader> = {
  '1/8': (view, at) => (view.getUint8(at) - 128) / 0x80,
  '1/16': (view, at) => view.getInt16(at, true) / 0x8000,
  '1/24': (view, at) => (view.getUint16(at, true) + view.getInt8(at + 2) * 0x10000) / 0x800000,
  '1/32': (view, at) => view.getInt32(at, true) / 0x80000000,
  '3/32': (view, at) => view.getFloat32(at, true),
  '3/64': (view, at) => view.getFloat64(at, true),
}

/** Whether `readWavFrames` reads this encoding; others (A-law, ADPCM) are the codec package's. */
export function isPlainWav(header: WavHeader): boolean {
  return header.encoding === PCM || header.encoding === IEEE_FLOAT
}

/**
 * Frames `first` to `first + count` of every channel.
 * @throws DomainError `undecodable-media` when bits and block size make no sense
 */
export function readWavFrames(bytes: Uint8Array, header: WavHeader, first: number, count: number): Float32Array[] {
  const { channels, bits, blockBytes, dataStart } = header
  const read = READERS[`${header.encoding}/${bits}`]
  const step = bits / 8
  if (!read || blockBytes !== channels * step) {
    throw new DomainError('undecodable-media', `The WAV file's samples of ${bits} bits are in no known layout.`)
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return Array.from({ length: channels }, (_, channel) => {
    const samples = new Float32Array(count)
    let at = dataStart + first * blockBytes + channel * step
    for (let i = 0; i < count; i++, at += blockBytes) samples[i] = read(view, at)
    return samples
  })
}
