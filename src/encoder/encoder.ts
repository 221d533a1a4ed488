/**
 * The port between services and whatever turns prepared inputs into vectors (local onnxruntime sessions today, a remote
 * encoder later). In: token ids, pixels, a waveform. Out: one unit vector of the common space.
 */
import type { Modality } from '../modality.ts'

/** Token ids of the dictionary, ending in `eos`, at most 71 (spec §10). */
export interface TextInput {
  modality: 'text'
  tokenIds: readonly number[]
}

/** 8-bit RGB pixels, row-major, `data.length === width * height * 3`. Ownership passes to the encoder. */
export interface ImageInput {
  modality: 'image'
  width: number
  height: number
  data: Uint8Array
}

/** 16 kHz mono waveform, already normalised, tiled and cut as in spec §12. Ownership passes to the encoder. */
export interface AudioInput {
  modality: 'audio'
  waveform: Float32Array
}

export type EncoderInput = TextInput | ImageInput | AudioInput

export interface Encoder {
  /** D, the width of an embedding. */
  readonly embedDim: number
  readonly modalities: readonly Modality[]
  /**
   * Unit vector float32 (D) of one input. Never depends on what else is being encoded.
   * @throws DomainError `unsupported-by-model`, `overloaded`, `deadline-exceeded` (aborted), `encoder-unavailable`
   */
  encode(input: EncoderInput, signal?: AbortSignal): Promise<Float32Array>
  /** Resolves when the sessions are open; rejects with the reason if they cannot be. */
  ready(): Promise<void>
  /** Finishes what was accepted, refuses the rest, frees the sessions. */
  close(): Promise<void>
}
