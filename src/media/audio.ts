/**
 * Encoded sound → float32 samples, full scale ±1. CPU work: the server calls it in a worker thread (`decode-worker.ts`).
 *
 * The decoders are WebAssembly (npm `audio-decode`), so a hostile file cannot reach native memory; it can still ask for a
 * lot of it: 25 MB of Opus may hold 5.7 GB of samples. So what a header claims is checked first, the file is then fed in
 * small pieces, and the samples are counted, checked and mixed down piece by piece. WAV with plain samples is read by our
 * own exact reader; FLAC is made exact (value / 2^(bits-1)).
 *
 * A file that declares its length (WAV, AIFF, FLAC) must hold it. MP3, Ogg, AAC and WebM are streams: what can be heard is taken.
 */
import decode from 'audio-decode'
import { DomainError } from '../errors.ts'
import { type AudioInfo, readAudioInfo } from './audio-info.ts'
import { hasSaneTables, moovFirst } from './mp4.ts'
import { type AudioFormat, sniffMedia } from './sniff.ts'
import { isPlainWav, readWavFrames, readWavHeader } from './wav.ts'

/** 30 minutes, the limit stated in the contract. */
export const DEFAULT_MAX_SECONDS = 1_800
/** Rates outside are forged headers: at 1 Hz a small file would last for days. */
const MIN_RATE_HZ = 1_000
const MAX_RATE_HZ = 384_000
/** Float32 stereo at 48 kHz: what `maxSeconds` may take in memory. */
const BYTES_PER_SECOND = 48_000 * 2 * 4
/** Bytes fed at a time: even of the densest packets (FLAC of silence) a piece decodes to some 100 MB at most. */
const PIECE_BYTES = 4_096
const FLAC_PIECE_BYTES = 1_024
const WAV_PIECE_FRAMES = 65_536

export const TOO_SLOW = 'The sound takes too long to decode. Send a shorter one, or one in WAV or FLAC.'

export interface AudioLimits {
  maxSeconds?: number
}

export interface DecodeAudioOptions extends AudioLimits {
  /** Give the mean of the channels, piece by piece, instead of each channel. */
  mixDown?: boolean
  /** Time after which decoding gives up. Default: none. */
  timeoutMs?: number
}

/** Samples as float32, full scale ±1. `channels` all have the same length, at least 1. */
export interface DecodedAudio {
  modality: 'audio'
  format: AudioFormat
  sampleRateHz: number
  /** One array if mixed down (spec §12: the reference takes the mean), else one per channel of the file. */
  channels: Float32Array[]
  /** How many channels the file had. */
  sourceChannels: number
  durationMs: number
}

interface Piece {
  sampleRateHz: number
  channels: readonly Float32Array[]
}

/** @throws DomainError `unsupported-media-type`, `undecodable-media`, `media-too-large` */
export async function decodeAudio(bytes: Uint8Array, options: DecodeAudioOptions = {}): Promise<DecodedAudio> {
  const kind = sniffMedia(bytes)
  if (kind?.modality !== 'audio') {
    throw new DomainError(
      'unsupported-media-type',
      'The file is none of WAV, FLAC, MP3, Ogg Vorbis, Opus, M4A, AAC, AIFF and WebM.',
    )
  }
  const maxSeconds = options.maxSeconds ?? DEFAULT_MAX_SECONDS
  const info = readAudioInfo(bytes, kind.format)
  refuseClaims(info, maxSeconds)
  const sound = new Collector(kind.format, maxSeconds, options.mixDown ?? false)
  const deadline = performance.now() + (options.timeoutMs ?? Number.POSITIVE_INFINITY)
  for await (const piece of pieces(bytes, kind.format)) {
    if (performance.now() > deadline) throw new DomainError('undecodable-media', TOO_SLOW)
    if (info.bits !== undefined) for (const samples of piece.channels) exactIntegers(samples, info.bits)
    sound.add(piece)
  }
  return sound.finish(kind.format === 'flac' ? info.frames : undefined)
}

function refuseClaims(info: AudioInfo, maxSeconds: number): void {
  const { sampleRateHz, channels = 1, frames } = info
  if (sampleRateHz !== undefined) refuseRate(sampleRateHz)
  if (channels === 0) throw new DomainError('undecodable-media', 'The sound file says that it has no channels.')
  const seconds = info.seconds ?? (frames !== undefined && sampleRateHz ? frames / sampleRateHz : 0)
  refuseSize(seconds, (frames ?? 0) * channels * 4, maxSeconds)
}

function refuseRate(sampleRateHz: number): void {
  if (sampleRateHz < MIN_RATE_HZ || sampleRateHz > MAX_RATE_HZ) {
    throw new DomainError(
      'undecodable-media',
      `The sound file says ${sampleRateHz} samples a second; rates from ${MIN_RATE_HZ} to ${MAX_RATE_HZ} Hz are read.`,
    )
  }
}

function refuseSize(seconds: number, bytes: number, maxSeconds: number): void {
  if (seconds > maxSeconds) {
    throw new DomainError(
      'media-too-large',
      `The sound lasts longer than ${maxSeconds} s, the most that is accepted. Send it in parts.`,
    )
  }
  if (bytes > maxSeconds * BYTES_PER_SECOND) {
    throw new DomainError(
      'media-too-large',
      'The sound has too many samples: its rate, channels and length together pass the limit. Send stereo at 48 kHz.',
    )
  }
}

/**
 * The FLAC codec divides integers by 2^(bits-1) - 1, the reference by 2^(bits-1). Float32 holds enough of a 24-bit
 * quotient to find the integer again.
 */
function exactIntegers(samples: Float32Array, bits: number): void {
  const scale = 2 ** (bits - 1)
  for (let i = 0; i < samples.length; i++) samples[i] = Math.round(samples[i]! * (scale - 1)) / scale
}

async function* pieces(bytes: Uint8Array, format: AudioFormat): AsyncGenerator<Piece, void, void> {
  try {
    yield* format === 'wav' ? wavPieces(bytes) : codecPieces(bytes, format)
  } catch (error) {
    throw error instanceof DomainError ? error : damaged(format, error)
  }
}

/** Codecs throw errors of many kinds, strings among them. */
function damaged(format: AudioFormat, cause?: unknown): DomainError {
  const text = cause instanceof Error ? cause.message : String(cause ?? '')
  if (/^Unsupported|ERR_MODULE_NOT_FOUND|Cannot find/.test(text) || /^No audio track/.test(text)) {
    return new DomainError(
      'unsupported-media-type',
      `The ${format} file holds no sound in a coding that can be read here. Send it as WAV, FLAC, MP3 or Ogg.`,
      { cause },
    )
  }
  return new DomainError('undecodable-media', `The ${format} file cannot be decoded: it is damaged or incomplete.`, {
    cause,
  })
}

async function* wavPieces(bytes: Uint8Array): AsyncGenerator<Piece, void, void> {
  const header = readWavHeader(bytes)
  if (header.dataBytes < header.declaredBytes) {
    throw new DomainError(
      'undecodable-media',
      `The WAV file is cut off: ${header.declaredBytes} bytes of sound are declared, ${header.dataBytes} are there.`,
    )
  }
  if (!isPlainWav(header)) return yield* codecPieces(bytes, 'wav')
  const frames = Math.floor(header.dataBytes / Math.max(1, header.blockBytes))
  for (let first = 0; first < frames; first += WAV_PIECE_FRAMES) {
    const count = Math.min(WAV_PIECE_FRAMES, frames - first)
    yield { sampleRateHz: header.sampleRateHz, channels: readWavFrames(bytes, header, first, count) }
  }
}

/** Names under which `audio-decode` knows the formats. */
const CODECS = {
  flac: 'flac',
  mp3: 'mp3',
  ogg: 'oga',
  opus: 'opus',
  m4a: 'm4a',
  aac: 'aac',
  aiff: 'aiff',
  webm: 'webm',
}

async function* codecPieces(bytes: Uint8Array, format: AudioFormat): AsyncGenerator<Piece, void, void> {
  const codec = format === 'wav' ? 'wav' : CODECS[format]
  const decoder = await (decode as unknown as Record<string, () => Promise<StreamDecoder>>)[codec]!()
  try {
    for (const part of parts(bytes, format)) yield* nonEmpty(await decoder(part))
    yield* nonEmpty(await decoder())
  } finally {
    decoder.free()
  }
}

/** `dec(bytes)` decodes what is complete so far, `dec()` the rest. */
interface StreamDecoder {
  (bytes?: Uint8Array): Promise<{ channelData: Float32Array[]; sampleRate: number }>
  free(): void
}

function* nonEmpty(result: { channelData: Float32Array[]; sampleRate: number }): Generator<Piece, void, void> {
  if (result.channelData[0]?.length) yield { sampleRateHz: result.sampleRate, channels: result.channelData }
}

function* parts(bytes: Uint8Array, format: AudioFormat): Generator<Uint8Array, void, void> {
  let source = bytes
  let at = 0
  if (format === 'aiff' && bytes.length < 8 + new DataView(bytes.buffer, bytes.byteOffset).getUint32(4)) {
    throw damaged(format, 'it is shorter than it says')
  }
  if (format === 'm4a') {
    if (!hasSaneTables(bytes)) throw damaged(format)
    const ordered = moovFirst(bytes)
    if (!ordered) throw damaged(format, 'its tables are missing')
    source = ordered.bytes
    at = ordered.moovEnd
    yield source.subarray(0, at)
  }
  const step = format === 'flac' ? FLAC_PIECE_BYTES : PIECE_BYTES
  for (; at < source.length; at += step) yield source.subarray(at, at + step)
}

/** Gathers pieces while it watches the limits; refuses what changes its rate, or is not made of finite numbers. */
class Collector {
  private readonly gathered: Float32Array[][] = []
  private frames = 0
  private sampleRateHz = 0
  private sourceChannels = 0
  private readonly format: AudioFormat
  private readonly maxSeconds: number
  private readonly mixDown: boolean

  constructor(format: AudioFormat, maxSeconds: number, mixDown: boolean) {
    this.format = format
    this.maxSeconds = maxSeconds
    this.mixDown = mixDown
  }

  add({ sampleRateHz, channels }: Piece): void {
    if (this.frames === 0) {
      refuseRate(sampleRateHz)
      this.sampleRateHz = sampleRateHz
      this.sourceChannels = channels.length
    }
    if (sampleRateHz !== this.sampleRateHz) throw damaged(this.format, 'the sample rate changes on the way')
    this.frames += channels[0]!.length
    const kept = this.mixDown ? 1 : this.sourceChannels
    refuseSize(this.frames / sampleRateHz, this.frames * kept * 4, this.maxSeconds)
    // A decoder may give one channel for a stretch where both are the same, or turn to stereo on the way.
    const even = Array.from({ length: this.sourceChannels }, (_, i) => channels[i % channels.length]!)
    this.gathered.push(this.mixDown ? [mean(channels)] : even)
  }

  finish(declaredFrames: number | undefined): DecodedAudio {
    if (this.frames === 0) throw new DomainError('undecodable-media', `The ${this.format} file holds no sound.`)
    if (declaredFrames !== undefined && this.frames < declaredFrames) {
      throw new DomainError(
        'undecodable-media',
        `The ${this.format} file is cut off: ${declaredFrames} samples are declared, ${this.frames} could be read.`,
      )
    }
    const channels = this.gathered[0]!.map((_, channel) => this.joined(channel))
    if (channels.some((samples) => !isAllFinite(samples))) {
      throw new DomainError('undecodable-media', `The ${this.format} file holds samples that are not finite numbers.`)
    }
    return {
      modality: 'audio',
      format: this.format,
      sampleRateHz: this.sampleRateHz,
      channels,
      sourceChannels: this.sourceChannels,
      durationMs: Math.round((this.frames / this.sampleRateHz) * 1000),
    }
  }

  private joined(channel: number): Float32Array {
    const samples = new Float32Array(this.frames)
    let at = 0
    for (const piece of this.gathered) {
      samples.set(piece[channel]!, at)
      at += piece[channel]!.length
    }
    return samples
  }
}

/** Mean of the channels, as NumPy takes it in float32. */
function mean(channels: readonly Float32Array[]): Float32Array {
  if (channels.length === 1) return channels[0]!.slice()
  return Float32Array.from(
    channels[0]!,
    (_, i) => channels.reduce((sum, c) => Math.fround(sum + c[i]!), 0) / channels.length,
  )
}

function isAllFinite(samples: Float32Array): boolean {
  for (let i = 0; i < samples.length; i++) if (!Number.isFinite(samples[i])) return false
  return true
}
