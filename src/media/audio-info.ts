/**
 * What the headers of a sound file claim, read without decoding. Claims are used to refuse early and to notice a file that
 * was cut; a header may lie, hence the limits are checked again on what is decoded.
 */
import { movieSeconds } from './mp4.ts'
import { type AudioFormat, findAscii, isAscii } from './sniff.ts'
import { readWavHeader } from './wav.ts'

/** Room for an ID3 tag with a cover before the FLAC stream. */
const FLAC_SEARCH_BYTES = 1 << 22

export interface AudioInfo {
  sampleRateHz?: number
  channels?: number
  /** Samples per channel. */
  frames?: number
  seconds?: number
  /** Bits of an integer sample, where the codec is lossless. */
  bits?: number
}

/** @returns what is claimed, empty where the format has no such header. @throws DomainError `undecodable-media` */
export function readAudioInfo(bytes: Uint8Array, format: AudioFormat): AudioInfo {
  switch (format) {
    case 'wav':
      return wavInfo(bytes)
    case 'flac':
      return flacInfo(bytes)
    case 'ogg':
    case 'opus':
      return oggInfo(bytes, format)
    case 'm4a': {
      const seconds = movieSeconds(bytes)
      return seconds === undefined ? {} : { seconds }
    }
    default:
      return {}
  }
}

function wavInfo(bytes: Uint8Array): AudioInfo {
  const { sampleRateHz, channels, blockBytes, dataBytes, bits } = readWavHeader(bytes)
  // Where the samples are coded, a block holds many frames and the bits per sample tell how many.
  const frames = blockBytes > 0 ? Math.floor((dataBytes * 8) / Math.max(1, channels * (bits || 1))) : 0
  return { sampleRateHz, channels, frames }
}

/**
 * RFC 9639 §8.2: behind "fLaC" and a block header of 4 bytes, STREAMINFO: 10 bytes of block and frame sizes, 20 bits of
 * rate, 3 of channels - 1, 5 of bits - 1, 36 of samples (0: unknown). In Ogg and behind an ID3 tag it begins later.
 */
function flacInfo(bytes: Uint8Array): AudioInfo {
  const start = findAscii(bytes, 'fLaC', FLAC_SEARCH_BYTES)
  if (start < 0 || bytes.length < start + 26) return {}
  const [a = 0, b = 0, c = 0, d = 0] = bytes.subarray(start + 18, start + 22)
  const frames = (d & 15) * 2 ** 32 + new DataView(bytes.buffer, bytes.byteOffset).getUint32(start + 22)
  const bits = ((c & 1) << 4) + (d >> 4) + 1
  const info = { sampleRateHz: (a << 12) | (b << 4) | (c >> 4), channels: ((c >> 1) & 7) + 1, bits }
  return frames > 0 ? { ...info, frames } : info
}

/** RFC 7845 §5.1 and Vorbis I §4.2.2 for the head; the granule position of the last page (RFC 3533) for the length. */
function oggInfo(bytes: Uint8Array, format: 'ogg' | 'opus'): AudioInfo {
  const packet = 27 + (bytes[26] ?? 0)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < packet + 19) return {}
  const channels = bytes[packet + (format === 'opus' ? 9 : 11)]!
  const sampleRateHz = format === 'opus' ? 48_000 : view.getUint32(packet + 12, true)
  for (let at = bytes.length - 14; at >= 0; at--) {
    if (bytes[at] !== 0x4f || !isAscii(bytes, at, 'OggS')) continue
    const frames = Number(view.getBigInt64(at + 6, true))
    return frames > 0 ? { sampleRateHz, channels, frames } : { sampleRateHz, channels }
  }
  return { sampleRateHz, channels }
}
