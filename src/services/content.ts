/**
 * Content → vectors. In: parts (a text, or the bytes of a picture or sound) with weights. Out: unit vectors float32 (D).
 *
 *   text ── tokenize ─────────────────────────► encode ──► 1 vector
 *   bytes ─ sniff ─ decode ─ image ───────────► encode ──► 1 vector
 *                          └ sound ─ windows ─► encode ──► 1 vector a window of at most 15 s
 *
 * A content of several parts is one vector: the sum of weight × vector of the part, normalised. A part that is a long
 * sound counts as the normalised mean of its windows.
 */
import { setMaxListeners } from 'node:events'
import { anySignal } from '../deadline.ts'
import type { Encoder, ImageInput } from '../encoder/encoder.ts'
import { DomainError } from '../errors.ts'
import { Gate } from '../gate.ts'
import type { DecodedAudio, DecodedImage } from '../media/decoder.ts'
import type { MediaKind } from '../media/sniff.ts'
import type { Modality } from '../modality.ts'
import type { TokenizedText } from '../preprocess/tokenizer.ts'
import type { AudioWindow, Sound } from '../preprocess/waveform.ts'
import type { Point } from '../vectors/store.ts'
import type { Limits } from './limits.ts'
import type { UploadService } from './uploads.ts'

export interface TextPart {
  kind: 'text'
  text: string
  /** Finite; 1 leaves the part as it is, a negative one points away from it. */
  weight: number
}

/** The bytes of a picture or sound. */
export interface MediaSource {
  bytes: Uint8Array
  /** What the caller said it is; refused if the bytes say otherwise. */
  expected?: 'image' | 'audio'
}

export interface MediaPart extends MediaSource {
  kind: 'media'
  weight: number
}

/** A picture or sound that lies elsewhere. */
export interface RemotePart {
  kind: 'remote'
  url: string
  /** What the caller said it is, if it did. */
  expected?: 'image' | 'audio'
  weight: number
}

/** A picture or sound that was sent ahead. */
export interface UploadPart {
  kind: 'upload'
  id: string
  /** Whose it has to be. */
  tenant: string
  weight: number
}

/** What is at hand. */
export type LocalPart = TextPart | MediaPart
export type ContentPart = LocalPart | RemotePart | UploadPart
export type Content = readonly ContentPart[]

/** What is known of the original, apart from its bytes. */
export interface MediaInfo {
  mimeType: string
  format: string
  /** Pixels, as a viewer shows the picture. */
  width?: number
  height?: number
  sampleRateHz?: number
  channels?: number
  durationMs?: number
}

/** A decoded picture, or a sound prepared as windows of at most 15 s. */
export type Medium = ImageMedium | SoundMedium
export interface ImageMedium {
  modality: 'image'
  info: MediaInfo
  image: ImageInput
}
export interface SoundMedium {
  modality: 'audio'
  info: MediaInfo
  windows: AudioWindow[]
}

export interface EncodedPart {
  modality: Modality
  /** One a window for a sound, else one; `segment` only where there are several. */
  points: Point[]
  media: MediaInfo
  /** Whether a text was cut at 70 tokens. */
  truncated: boolean
  /** Tokens of a text with `eos`, 0 for other modalities. */
  tokens: number
}

export interface EncodedContent {
  vector: Float32Array
  modality: Modality | 'mixed'
  truncated: boolean
  tokens: number
}

export interface ContentEncoderDeps {
  encoder: Encoder
  tokenizer: { encode(text: string): TokenizedText } | undefined
  sniff(bytes: Uint8Array): MediaKind | undefined
  media: {
    decode(bytes: Uint8Array, kind?: MediaKind, signal?: AbortSignal): Promise<DecodedImage | DecodedAudio>
    thumbnail(bytes: Uint8Array, sidePx: number): Promise<Buffer>
  }
  fetcher?: { fetch(url: string, signal?: AbortSignal): Promise<Uint8Array> }
  uploads?: Pick<UploadService, 'open'>
  audio: { prepare(sound: Sound, signal?: AbortSignal): Promise<AudioWindow[]> }
  limits: Limits
}

/** Pictures and sounds being decoded, or decoded and large, over all requests: a 64 MP picture is 192 MB. */
const MEDIA_AT_ONCE = 4
/** Decoded ones up to `SMALL_BYTES` held at once beside them, so that batches fill: 256 MB. */
const SMALL_AT_ONCE = 64
const SMALL_BYTES = 4_000_000
/** Addresses being fetched, or fetched and not yet encoded, over all requests: at 32 MiB each, 512 MiB. */
const FETCHES_AT_ONCE = 16
/** Uploads read and not yet encoded, over all requests: at 64 MiB each, 256 MiB. */
const UPLOADS_AT_ONCE = 4
/** Windows of one sound in the encoder's queue at once: a batch's worth. */
const WINDOWS_AT_ONCE = 4
/** Inputs of one request in the encoder's queue at once: enough to fill batches, too few to fill the queue alone. */
const INPUTS_AT_ONCE = 64
const TEXT_MEDIA: MediaInfo = { mimeType: 'text/plain; charset=utf-8', format: 'text' }

export class ContentEncoder {
  readonly #deps: ContentEncoderDeps
  readonly #media = new Gate(MEDIA_AT_ONCE)
  readonly #small = new Gate(SMALL_AT_ONCE)
  readonly #fetches = new Gate(FETCHES_AT_ONCE)
  readonly #uploads = new Gate(UPLOADS_AT_ONCE)

  constructor(deps: ContentEncoderDeps) {
    this.#deps = deps
  }

  /**
   * One vector a content, in order. The first failure stops the rest and bears the failing `index`.
   * @throws DomainError `unprocessable-content` (empty or zero-sum), `payload-too-large` (too many), and those of a part
   */
  async encodeAll(contents: readonly Content[], signal?: AbortSignal): Promise<EncodedContent[]> {
    this.#checkCount(contents)
    const failed = new AbortController()
    const either = signal ? anySignal(signal, failed.signal) : failed.signal
    setMaxListeners(0, either) // each input listens; Node warns of more than ten
    const gate = new Gate(INPUTS_AT_ONCE)
    const encodings = contents.map(async (content, index) => {
      try {
        return await gate.run(() => this.encode(content, either), either)
      } catch (error) {
        if (either.aborted) throw either.reason
        if (error instanceof DomainError && contents.length > 1) error.index = index
        failed.abort(error)
        throw error
      }
    })
    const settled = await Promise.allSettled(encodings)
    if (either.aborted) throw either.reason
    return settled.map((result) => (result as PromiseFulfilledResult<EncodedContent>).value)
  }

  #checkCount(contents: readonly Content[]): void {
    const { maxInputs, maxTexts } = this.#deps.limits
    if (contents.length === 0) throw new DomainError('unprocessable-content', 'There is no input; give at least one.')
    const parts = contents.flat()
    const limit = parts.every((part) => part.kind === 'text') ? maxTexts : maxInputs
    if (Math.max(contents.length, parts.length) <= limit) return
    throw new DomainError(
      'payload-too-large',
      `The request holds ${parts.length} inputs; it may hold ${maxInputs}, or ${maxTexts} if all are text. Split it.`,
    )
  }

  /** @throws DomainError as `encodeAll` */
  async encode(content: Content, signal?: AbortSignal): Promise<EncodedContent> {
    if (content.length === 0) {
      throw new DomainError('unprocessable-content', 'The content has no part; give at least a text, picture or sound.')
    }
    const parts = await Promise.all(content.map((part) => this.encodePart(part, signal)))
    const vectors = parts.map((part) => meanOf(part.points.map((point) => point.vector)))
    const modalities = new Set(parts.map((part) => part.modality))
    return {
      vector: weightedSum(
        vectors,
        content.map((part) => part.weight),
      ),
      modality: modalities.size === 1 ? parts[0]!.modality : 'mixed',
      truncated: parts.some((part) => part.truncated),
      tokens: parts.reduce((sum, part) => sum + part.tokens, 0),
    }
  }

  /**
   * The vectors of one part; the weight is not looked at.
   * @throws DomainError `unprocessable-content` (blank text), `input-too-long`, `undecodable-media`,
   *   `unsupported-media-type`, `media-too-large`, `unsupported-by-model`, and those of the encoder
   */
  async encodePart(part: ContentPart, signal?: AbortSignal): Promise<EncodedPart> {
    signal?.throwIfAborted()
    // The turn is kept until the bytes are no longer needed: else a small request could have gigabytes waiting to be encoded.
    return this.withLocal(part, (local) => this.#encodeLocal(local, signal), signal)
  }

  /**
   * Brings what is not at hand; only so many bytes, over all requests, are in memory until `use` is done with them.
   * @throws DomainError as `RemoteFetcher.fetch` and `UploadService.open`
   */
  async withLocal<T>(part: ContentPart, use: (local: LocalPart) => Promise<T>, signal?: AbortSignal): Promise<T> {
    if (part.kind === 'remote') return this.#fetches.run(async () => use(await this.#fetch(part, signal)), signal)
    if (part.kind === 'upload') return this.#uploads.run(async () => use(await this.#openUpload(part)), signal)
    return use(part)
  }

  async #encodeLocal(local: LocalPart, signal?: AbortSignal): Promise<EncodedPart> {
    if (local.kind === 'text') return this.#encodeText(local.text, signal)
    const { modalities } = this.#deps.encoder
    return this.withMedia([local], modalities, ([medium]) => this.#encodeMedium(medium!, signal), signal)
  }

  async #openUpload({ id, tenant, weight }: UploadPart): Promise<MediaPart> {
    const { uploads } = this.#deps
    if (uploads === undefined) throw new DomainError('invalid-request', 'Nothing is sent ahead here; give the bytes.')
    const { bytes, mediaType } = await uploads.open(tenant, id)
    const expected = mediaType.split('/')[0]
    if (expected === 'image' || expected === 'audio') return { kind: 'media', bytes, expected, weight }
    throw new DomainError('unprocessable-content', `The upload '${id}' is ${mediaType}, no picture or sound.`)
  }

  async #fetch({ url, expected, weight }: RemotePart, signal?: AbortSignal): Promise<MediaPart> {
    const { fetcher } = this.#deps
    if (fetcher === undefined) throw new DomainError('invalid-request', 'Nothing is fetched here; give the bytes.')
    return { kind: 'media', bytes: await fetcher.fetch(url, signal), ...(expected && { expected }), weight }
  }

  /**
   * Decodes pictures or sounds and hands them to `use`, in order. They are in memory until it is done, so that only a few
   * calls, over all requests, hold any at once.
   * @param takes modalities that `use` knows what to do with
   * @throws DomainError `undecodable-media`, `unsupported-media-type`, `media-too-large`, `unsupported-by-model`
   */
  async withMedia<T>(
    sources: readonly MediaSource[],
    takes: readonly Modality[],
    use: (media: Medium[]) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T> {
    const opened = await this.#media.run(async () => {
      const media: Medium[] = []
      for (const source of sources) media.push(await this.#open(source, takes, signal))
      if (bytesOf(media) > SMALL_BYTES) return { result: await use(media) }
      await this.#small.enter(signal) // still in the other's place, so that what waits here is bounded, too
      return { media }
    }, signal)
    if (opened.media === undefined) return opened.result
    try {
      return await use(opened.media)
    } finally {
      this.#small.leave()
    }
  }

  /** WebP of a stored picture that fits a square of `sidePx`. @throws DomainError `undecodable-media`, `media-too-large` */
  async thumbnail(bytes: Uint8Array, sidePx: number, signal?: AbortSignal): Promise<Buffer> {
    try {
      return await this.#media.run(() => this.#deps.media.thumbnail(bytes, sidePx), signal)
    } catch (error) {
      // Bytes that were a picture when they came and are none now: no kind that a client could do without.
      const isDamaged = error instanceof DomainError && error.code === 'unsupported-media-type'
      throw isDamaged ? new DomainError('undecodable-media', 'The original is damaged; put the item again.') : error
    }
  }

  async #encodeText(text: string, signal?: AbortSignal): Promise<EncodedPart> {
    const { tokenizer, encoder, limits } = this.#deps
    assertText(text, limits)
    assertTakes('text', encoder.modalities)
    if (tokenizer === undefined)
      throw new DomainError('unsupported-by-model', 'The model has no tokenizer, so no text.')
    const { tokenIds, truncated } = tokenizer.encode(text)
    const vector = await encoder.encode({ modality: 'text', tokenIds }, signal)
    return { modality: 'text', points: [{ vector }], media: TEXT_MEDIA, truncated, tokens: tokenIds.length }
  }

  async #open({ bytes, expected }: MediaSource, takes: readonly Modality[], signal?: AbortSignal): Promise<Medium> {
    if (bytes.length === 0) throw new DomainError('undecodable-media', 'The file is empty.')
    const kind = this.#deps.sniff(bytes)
    if (kind && expected && kind.modality !== expected) {
      const message = `The bytes are ${kind.modality} (${kind.format}), yet were sent as ${expected}.`
      throw new DomainError('undecodable-media', message)
    }
    if (kind) assertTakes(kind.modality, takes)
    const decoded = await this.#deps.media.decode(bytes, kind, signal)
    const mimeType = kind?.mimeType ?? 'application/octet-stream'
    if (decoded.modality === 'audio') return this.#prepareSound(decoded, mimeType, signal)
    const { width, height, format, data } = decoded
    return {
      modality: 'image',
      info: { mimeType, format, width, height },
      image: { modality: 'image', width, height, data },
    }
  }

  async #prepareSound(decoded: DecodedAudio, mimeType: string, signal?: AbortSignal): Promise<SoundMedium> {
    const { sampleRateHz, format, durationMs, sourceChannels } = decoded
    const info = { mimeType, format, sampleRateHz, channels: sourceChannels, durationMs: Math.round(durationMs) }
    const windows = await this.#deps.audio.prepare({ sampleRateHz, channels: decoded.channels }, signal)
    return { modality: 'audio', info, windows }
  }

  async #encodeMedium(medium: Medium, signal?: AbortSignal): Promise<EncodedPart> {
    const { modality, info } = medium
    const points =
      modality === 'image'
        ? [{ vector: await this.#deps.encoder.encode(medium.image, signal) }]
        : await this.#encodeWindows(medium.windows, signal)
    return { modality, points, media: info, truncated: false, tokens: 0 }
  }

  async #encodeWindows(windows: readonly AudioWindow[], signal?: AbortSignal): Promise<Point[]> {
    const gate = new Gate(WINDOWS_AT_ONCE)
    const encodeWindow = async ({ waveform, startMs, endMs }: AudioWindow): Promise<Point> => {
      const vector = await this.#deps.encoder.encode({ modality: 'audio', waveform }, signal)
      if (windows.length === 1) return { vector }
      return { vector, segment: { startMs: Math.round(startMs), endMs: Math.round(endMs) } }
    }
    return Promise.all(windows.map((window) => gate.run(() => encodeWindow(window), signal)))
  }
}

/** What decoded media take in memory. */
function bytesOf(media: readonly Medium[]): number {
  const sizes = media.map((medium) =>
    medium.modality === 'image'
      ? medium.image.data.byteLength
      : medium.windows.reduce((sum, { waveform }) => sum + waveform.byteLength, 0),
  )
  return sizes.reduce((sum, size) => sum + size, 0)
}

/** @throws DomainError `unprocessable-content` (blank), `input-too-long` */
export function assertText(text: string, { maxTextChars }: Limits): void {
  if (text.trim() === '') throw new DomainError('unprocessable-content', 'The text is empty; give at least one word.')
  if (text.length <= maxTextChars) return
  const message = `The text has ${text.length} characters; at most ${maxTextChars} are taken.`
  throw new DomainError('input-too-long', message)
}

function assertTakes(modality: Modality, takes: readonly Modality[]): void {
  if (takes.includes(modality)) return
  throw new DomainError('unsupported-by-model', `The model takes ${takes.join(' and ')}, not ${modality}.`)
}

/** One vector stays bit for bit what it was; several become their normalised mean. */
export function meanOf(vectors: readonly Float32Array[]): Float32Array {
  if (vectors.length === 1) return vectors[0]!
  return weightedSum(
    vectors,
    vectors.map(() => 1),
  )
}

/** Σ wᵢ vᵢ / ‖Σ wᵢ vᵢ‖ in float64. The weights are first scaled to at most 1, so that none overflows. */
function weightedSum(vectors: readonly Float32Array[], weights: readonly number[]): Float32Array {
  if (vectors.length === 1 && weights[0]! > 0) return vectors[0]!
  const largest = Math.max(...weights.map(Math.abs))
  const sum = new Float64Array(vectors[0]!.length)
  vectors.forEach((vector, i) => {
    const weight = largest === 0 ? 0 : weights[i]! / largest
    for (let d = 0; d < sum.length; d++) sum[d]! += weight * vector[d]!
  })
  const norm = Math.hypot(...sum)
  if (!(norm > 1e-6)) {
    const message = 'The weighted parts cancel out, so the content has no direction; change the weights or the parts.'
    throw new DomainError('unprocessable-content', message)
  }
  return Float32Array.from(sum, (value) => value / norm)
}
