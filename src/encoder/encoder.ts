/**
 * The port between services and whatever turns prepared inputs into vectors (local onnxruntime sessions today, a remote
 * encoder later). In: token ids, pixels, a waveform. Out: one unit vector of the common space, or what a head says.
 */
import type { HeadRole, HeadTask } from '../bundle/manifest.ts'
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

/** A fine-tuned head of the model. */
export interface HeadInfo {
  name: string
  task: HeadTask
  /** The inputs it takes, all of them needed. */
  inputs: readonly HeadRole[]
  /** N */
  classes: number
  /** One a class, where they are known. */
  labels?: readonly string[]
  /** Side of the square that its pictures are resized to. */
  imageSizePx?: number
}

/** One sample for a head: an input for each of its roles. */
export interface HeadInputs {
  text?: TextInput
  image?: ImageInput
  image2?: ImageInput
  audio?: AudioInput
}

export interface HeadOutput {
  /** (N), or (N, h, w) of a segmentation, row-major; before any softmax or sigmoid. */
  logits: Float32Array
  dims: readonly number[]
  /** Of grounding: x0, y0, x1, y1 as fractions of the picture's sides. Their order is what was learned, not enforced. */
  boxes?: Float32Array
}

/** What an encoder is given: an input to embed, or a sample for a head. */
export type Kind = Modality | 'head'

/** `unopened`: opens with its first use. `failing`: could not be opened, or broke down; the next use tries again. */
export type BranchState = 'unopened' | 'opening' | 'ready' | 'failing'

/** Told of each batch that ran: how long its inputs waited, and how long it took, in ms. */
export type OnBatch = (kind: Kind, waitsMs: readonly number[], tookMs: number) => void

export interface Encoder {
  /** D, the width of an embedding. */
  readonly embedDim: number
  readonly modalities: readonly Modality[]
  /**
   * Unit vector float32 (D) of one input. Never depends on what else is being encoded.
   * @throws DomainError `unsupported-by-model`, `overloaded`, `deadline-exceeded` (aborted), `encoder-unavailable`,
   *   `encoder-starting`
   */
  encode(input: EncoderInput, signal?: AbortSignal): Promise<Float32Array>
  readonly heads: readonly HeadInfo[]
  /**
   * What the head `name` says of one sample. Never depends on what else is being encoded.
   * @throws DomainError `not-found` (no such head), and those of `encode`
   */
  runHead(name: string, inputs: HeadInputs, signal?: AbortSignal): Promise<HeadOutput>
  /**
   * Resolves when the branch of a modality can be used, and opens it for that; without one, when those that open at the start
   * can (a head's opens with its first use). Rejects with the reason if not.
   */
  ready(modality?: Modality): Promise<void>
  /** How the branch of a modality stands; where it cannot be told, as `ready` says. */
  stateOf?(modality: Modality): BranchState
  /** Finishes what was accepted, refuses the rest, frees the sessions. */
  close(): Promise<void>
}
