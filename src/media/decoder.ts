/**
 * The façade services use: bytes in, bounded pixels or a bounded waveform out, without ever blocking the calling thread.
 * Pictures are decoded by sharp on its own threads, sounds in worker threads of ours.
 */
import type { MediaKind } from './sniff.ts'

/** 8-bit RGB pixels, row-major, `data.length === width * height * 3`; a view of a buffer of its own. */
export interface DecodedImage {
  modality: 'image'
  format: string
  width: number
  height: number
  data: Uint8Array
}

/** Samples as float32, full scale ±1. `channels` all have the same length, at least 1. */
export interface DecodedAudio {
  modality: 'audio'
  format: string
  sampleRateHz: number
  /** One array: `MediaDecoder` mixes down to the mean of the channels, as the reference does (spec §12). */
  channels: Float32Array[]
  /** How many channels the file had. */
  sourceChannels: number
  durationMs: number
}

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
  readonly options: MediaDecoderOptions

  constructor(options: MediaDecoderOptions = {}) {
    this.options = options
  }

  /**
   * @param kind what `sniffMedia` said, where the caller has asked already
   * @throws DomainError `unsupported-media-type`, `undecodable-media`, `media-too-large`, `overloaded`,
   *   `deadline-exceeded` (aborted)
   */
  decode(_bytes: Uint8Array, _kind?: MediaKind, _signal?: AbortSignal): Promise<DecodedImage | DecodedAudio> {
    return Promise.reject(new Error('not written yet'))
  }

  /** Stops the threads; what is being decoded is refused. */
  async close(): Promise<void> {}
}
