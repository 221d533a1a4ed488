/**
 * What kind of media a byte string is, told from the bytes only: never from a file name or a client's MIME type.
 * Text, HTML, SVG, PDF, archives and pictures that sharp's own build cannot read (HEIC) are `undefined`, hence refused.
 */

export type ImageFormat = 'png' | 'jpeg' | 'webp' | 'gif' | 'avif' | 'tiff'
export type AudioFormat = 'wav' | 'flac' | 'mp3' | 'ogg' | 'opus' | 'm4a' | 'aac' | 'aiff' | 'webm'

export type MediaKind =
  | { modality: 'image'; format: ImageFormat; mimeType: string }
  | { modality: 'audio'; format: AudioFormat; mimeType: string }

const image = (format: ImageFormat): MediaKind => ({ modality: 'image', format, mimeType: `image/${format}` })
const audio = (format: AudioFormat, mimeType: string): MediaKind => ({ modality: 'audio', format, mimeType })

/** @returns the kind, or `undefined` when the bytes are none of the formats we decode. Never throws. */
export function sniffMedia(bytes: Uint8Array): MediaKind | undefined {
  const at = (offset: number, text: string): boolean => isAscii(bytes, offset, text)
  if (at(0, '\x89PNG\r\n\x1a\n')) return image('png')
  if (at(0, '\xff\xd8\xff')) return image('jpeg')
  if (at(0, 'GIF87a') || at(0, 'GIF89a')) return image('gif')
  if (at(0, 'II*\0') || at(0, 'MM\0*')) return image('tiff')
  if (at(0, 'RIFF') && at(8, 'WEBP')) return image('webp')
  if (at(0, 'RIFF') && at(8, 'WAVE')) return audio('wav', 'audio/wav')
  if (at(0, 'FORM') && (at(8, 'AIFF') || at(8, 'AIFC'))) return audio('aiff', 'audio/aiff')
  if (at(0, 'fLaC')) return audio('flac', 'audio/flac')
  if (at(0, 'OggS')) return sniffOgg(bytes)
  if (at(4, 'ftyp')) return sniffIsoMedia(bytes)
  if (at(0, '\x1a\x45\xdf\xa3') && at(findAscii(bytes, 'webm', 64), 'webm')) return audio('webm', 'audio/webm')
  if (at(0, 'ID3')) return sniffBehindId3(bytes)
  return sniffFrames(bytes, 0)
}

export function isAscii(bytes: Uint8Array, offset: number, text: string): boolean {
  if (offset < 0 || offset + text.length > bytes.length) return false
  for (let i = 0; i < text.length; i++) if (bytes[offset + i] !== text.charCodeAt(i)) return false
  return true
}

/** Offset of `text` within the first `limit` bytes, -1 if it is not there. */
export function findAscii(bytes: Uint8Array, text: string, limit: number): number {
  for (let i = 0; i + text.length <= Math.min(limit, bytes.length); i++) if (isAscii(bytes, i, text)) return i
  return -1
}

/** RFC 3533: the first packet, behind the segment table of the first page, names the codec. */
function sniffOgg(bytes: Uint8Array): MediaKind | undefined {
  const packet = 27 + (bytes[26] ?? 0)
  if (isAscii(bytes, packet, 'OpusHead')) return audio('opus', 'audio/ogg')
  if (isAscii(bytes, packet, '\x01vorbis')) return audio('ogg', 'audio/ogg')
  if (isAscii(bytes, packet, '\x7fFLAC')) return audio('flac', 'audio/ogg')
  return undefined
}

/** ISO/IEC 14496-12 §4.3: major and compatible brands. A video's sound track is what we would hear of it. */
function sniffIsoMedia(bytes: Uint8Array): MediaKind | undefined {
  const size = Math.min(256, bytes.length, new DataView(bytes.buffer, bytes.byteOffset).getUint32(0))
  const brands: string[] = []
  for (let i = 8; i + 4 <= size; i += 4) brands.push(String.fromCharCode(...bytes.subarray(i, i + 4)))
  if (brands.some((brand) => brand === 'avif' || brand === 'avis')) return image('avif')
  const sound = /^(M4A |M4B |M4V |mp4[12]|iso[m2-9]|dash|qt {2}|3g[pg2]\d)$/
  if (brands.some((brand) => brand.startsWith('hei') || brand === 'mif1')) return undefined
  return brands.some((brand) => sound.test(brand)) ? audio('m4a', 'audio/mp4') : undefined
}

/** ID3v2.4 §3.1: ten bytes of header, the size in four groups of seven bits. What follows is MP3 unless it says otherwise. */
function sniffBehindId3(bytes: Uint8Array): MediaKind | undefined {
  if (bytes.length < 10) return undefined
  const size = bytes.subarray(6, 10).reduce((sum, byte) => sum * 128 + (byte & 0x7f), 0)
  const start = 10 + size
  if (isAscii(bytes, start, 'fLaC')) return audio('flac', 'audio/flac')
  return sniffFrames(bytes, start) ?? audio('mp3', 'audio/mpeg')
}

/** MP3 and ADTS have no signature, only a frame header; the next frame must stand where the first one says. */
function sniffFrames(bytes: Uint8Array, start: number): MediaKind | undefined {
  const mp3 = mp3FrameBytes(bytes, start)
  if (mp3 && followedBy(bytes, start + mp3, mp3FrameBytes)) return audio('mp3', 'audio/mpeg')
  const adts = adtsFrameBytes(bytes, start)
  if (adts && followedBy(bytes, start + adts, adtsFrameBytes)) return audio('aac', 'audio/aac')
  return undefined
}

function followedBy(bytes: Uint8Array, at: number, frameBytes: typeof mp3FrameBytes): boolean {
  return at === bytes.length || frameBytes(bytes, at) !== undefined
}

/** Layer III bit rates in kbit/s by index, MPEG 1 and MPEG 2/2.5 (ISO/IEC 11172-3 §2.4.2.3, 13818-3). */
const KBITS_1 = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320]
const KBITS_2 = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160]
const RATES_HZ = [44_100, 48_000, 32_000]

function mp3FrameBytes(bytes: Uint8Array, at: number): number | undefined {
  const [sync, b1 = 0, b2 = 0] = bytes.subarray(at, at + 4)
  const version = (b1 >> 3) & 3
  const isLayer3 = ((b1 >> 1) & 3) === 1
  if (bytes.length < at + 4 || sync !== 0xff || b1 < 0xe0 || !isLayer3 || version === 1) return undefined
  const kbits = (version === 3 ? KBITS_1 : KBITS_2)[b2 >> 4]
  const rateHz = (RATES_HZ[(b2 >> 2) & 3] ?? 0) / (version === 3 ? 1 : version === 2 ? 2 : 4)
  if (!kbits || !rateHz) return undefined
  return Math.floor(((version === 3 ? 144_000 : 72_000) * kbits) / rateHz) + ((b2 >> 1) & 1)
}

/** ISO/IEC 13818-7 §6.2: twelve sync bits, layer 0, and a length of 13 bits over bytes 3 to 5. */
function adtsFrameBytes(bytes: Uint8Array, at: number): number | undefined {
  const [sync, b1 = 0, b2 = 0, b3 = 0, b4 = 0, b5 = 0] = bytes.subarray(at, at + 7)
  if (bytes.length < at + 7 || sync !== 0xff || (b1 & 0xf6) !== 0xf0 || ((b2 >> 2) & 15) > 12) return undefined
  const length = ((b3 & 3) << 11) | (b4 << 3) | (b5 >> 5)
  return length >= 7 ? length : undefined
}
