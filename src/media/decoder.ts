/**
 * The façade services use: bytes in, bounded pixels or a bounded waveform out, without ever blocking the calling thread.
 * Pictures are decoded by sharp on its own threads, sounds in worker threads of ours.
 *
 *   bytes ─► sniff ─┬─ image ─► sharp (libuv threads) ───────────────► DecodedImage
 *                   └─ audio ─► queue ─► decode-worker (piscina) ─────► DecodedAudio
 */
import { createRequire } from 'node:module'
import { Piscina } from 'piscina'
import { DomainError } from '../errors.ts'
import { DEFAULT_MAX_SECONDS, type DecodedAudio, TOO_SLOW } from './audio.ts'
import type { DecodeReply, DecodeTask } from './decode-worker.ts'
import type { DecodedImage } from './image.ts'
import { DEFAULT_MAX_PIXELS } from './image-limits.ts'
import { type MediaKind, sniffMedia } from './sniff.ts'

export type { DecodedAudio } from './audio.ts'
export type { DecodedImage } from './image.ts'

/** Heap of a worker's own objects; samples and WebAssembly memory lie outside it and are bounded by `maxSeconds`. */
const WORKER_HEAP_MB = 256
/** How long an idle worker is kept. */
const IDLE_MS = 60_000

/** Loaded with the first picture: sharp takes a tenth of a service's start. */
const pictures = () => import('./image.ts')

export interface MediaDecoderOptions {
  /** Width × height above which a picture is refused before decoding. Default 64,000,000. */
  maxPixels?: number
  /** Length above which a sound is refused. Default 1,800 s. */
  maxSeconds?: number
  /** Worker threads for sounds. Default 1. */
  threads?: number
  /** Time one sound may take to decode. Default 60,000 ms. */
  timeoutMs?: number
  /** Sounds that may wait for a thread; the next is refused `overloaded`. Default 64. */
  maxQueue?: number
  /** Turn pictures as their EXIF tag says (what a viewer shows). Default true; the reference ignores the tag. */
  orient?: boolean
}

export class MediaDecoder {
  private readonly options: Required<MediaDecoderOptions>
  private readonly pool: Piscina<DecodeTask, DecodeReply>
  /** Sounds taken in and not yet answered. piscina bounds its queue only for tasks without a signal. */
  private pending = 0
  private closed = false

  constructor(options: MediaDecoderOptions = {}) {
    this.options = {
      maxPixels: DEFAULT_MAX_PIXELS,
      maxSeconds: DEFAULT_MAX_SECONDS,
      threads: 1,
      timeoutMs: 60_000,
      maxQueue: 64,
      orient: true,
      ...options,
    }
    this.pool = new Piscina({
      filename: createRequire(import.meta.url).resolve('#decode-worker'),
      minThreads: 0,
      maxThreads: this.options.threads,
      idleTimeout: IDLE_MS,
      resourceLimits: { maxOldGenerationSizeMb: WORKER_HEAP_MB },
      execArgv: [],
    })
  }

  /**
   * A sound comes as one channel, the mean of the file's. The bytes stay the caller's.
   * @param kind what `sniffMedia` said, where the caller has asked already
   * @throws DomainError `unsupported-media-type`, `undecodable-media`, `media-too-large`, `overloaded`,
   *   `deadline-exceeded` (aborted)
   */
  async decode(
    bytes: Uint8Array,
    kind: MediaKind | undefined = sniffMedia(bytes),
    signal?: AbortSignal,
  ): Promise<DecodedImage | DecodedAudio> {
    if (bytes.length === 0) throw new DomainError('undecodable-media', 'The file is empty.')
    if (!kind) throw new DomainError('unsupported-media-type', UNSUPPORTED)
    if (signal?.aborted) throw calledOff()
    const { maxPixels, orient } = this.options
    if (kind.modality === 'audio') return this.decodeSound(bytes, signal)
    const { decodeImage } = await pictures()
    return decodeImage(bytes, { maxPixels, orient, ...(signal && { signal }) })
  }

  /** WebP of a picture that fits a square of `sidePx`. @throws DomainError as `decode` */
  async thumbnail(bytes: Uint8Array, sidePx: number): Promise<Buffer> {
    const { thumbnail } = await pictures()
    return thumbnail(bytes, sidePx, this.options)
  }

  /** Stops the threads; what is being decoded is refused. */
  async close(): Promise<void> {
    this.closed = true
    await this.pool.destroy()
  }

  private async decodeSound(bytes: Uint8Array, signal: AbortSignal | undefined): Promise<DecodedAudio> {
    const { maxSeconds, timeoutMs, threads, maxQueue } = this.options
    if (this.pending >= threads + maxQueue) {
      const message = 'Too many sounds wait to be decoded. Try again shortly.'
      throw new DomainError('overloaded', message, { retryAfterS: 1 })
    }
    // The worker watches its own time; this guard stops one that hangs in a codec. Waiting in the queue is not held against it.
    const guard = AbortSignal.timeout(timeoutMs * (2 + Math.ceil(this.pending / threads)))
    const copy = new Uint8Array(bytes)
    const task = { bytes: copy, maxSeconds, timeoutMs, mixDown: true }
    this.pending++
    try {
      const reply = await this.pool.run(task, {
        transferList: [copy.buffer],
        signal: signal ? AbortSignal.any([signal, guard]) : guard,
      })
      if (!reply.ok) throw new DomainError(reply.code, reply.message)
      return reply.audio
    } catch (error) {
      if (error instanceof DomainError) throw error
      if (this.closed)
        throw new DomainError('overloaded', 'The server is shutting down.', { cause: error, retryAfterS: 5 })
      if (signal?.aborted) throw calledOff(error)
      if (guard.aborted) throw new DomainError('undecodable-media', TOO_SLOW, { cause: error })
      throw new DomainError('undecodable-media', 'The sound cannot be decoded: its decoder broke down on it.', {
        cause: error,
      })
    } finally {
      this.pending--
    }
  }
}

const UNSUPPORTED =
  'The file is of no kind that is read here: PNG, JPEG, WebP, GIF, AVIF, TIFF, WAV, FLAC, MP3, Ogg, Opus, M4A, AAC, AIFF or WebM.'

const calledOff = (cause?: unknown): DomainError =>
  new DomainError('deadline-exceeded', 'Decoding was called off.', { cause })
