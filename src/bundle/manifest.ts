/**
 * The manifest of a bundle: the folder where converter and server meet. It names the graphs, says how inputs must be
 * prepared for them, and lists every file with its size and SHA-256.
 *
 *   bundle/
 *     manifest.json
 *     text.onnx  image.onnx  image_preprocess.onnx  audio.onnx    graphs (only the modalities the checkpoint has)
 *     weights.bin                                                 external data, shared by all graphs
 *     encoder.json  vocab.bpe  dict.txt                           tokenizer (official formats)
 */
import type { Modality } from '../modality.ts'

export const MANIFEST_FILE = 'manifest.json'
export const FORMAT_VERSION = 1

/** How the weights are stored. Arithmetic is float32 in both (docs/adr/0004). */
export type Precision = 'fp32' | 'fp16'

export interface BundleFile {
  /** Path relative to the bundle folder. */
  path: string
  bytes: number
  /** Lower-case hex SHA-256 of the content. */
  sha256: string
}

/** `src_tokens` int64 (B, T) → `embedding` float32 (B, D), `hidden` float32 (B, T+1, D). */
export interface TextSpec {
  graph: string
  /** BPE ids kept before `eos` is appended (spec §10): 70. */
  maxTokens: number
  vocabSize: number
}

/** `src_images` float32 (B, 3, S, S) → `embedding`, `hidden`; the preprocess graph makes `src_images` from pixels. */
export interface ImageSpec {
  graph: string
  /** `image` uint8 (H, W, 3) → `src_images` float32 (1, 3, S, S), `resized` uint8 (S, S, 3). */
  preprocessGraph: string
  /** S: side of the square model input in pixels, a multiple of 16. */
  sizePx: number
}

/** `src_audios` float32 (B, n), `audio_padding_masks` bool (B, T+1), true = padding → `embedding`, `hidden`. */
export interface AudioSpec {
  graph: string
  sampleRateHz: number
  /** Shorter clips are tiled to this many samples (spec §12). */
  minSamples: number
  /** Longest window the encoder takes, in samples. */
  maxSamples: number
  /** Kernel and stride of each convolution of the front end; they determine T (spec §7). */
  convLayers: { kernel: number; stride: number }[]
}

export interface BundleManifest {
  formatVersion: typeof FORMAT_VERSION
  /** Name shown at `/v1/models`, e.g. `onepeace-nano`. */
  name: string
  /** D, the width of an embedding. */
  embedDim: number
  precision: Precision
  modalities: Modality[]
  /** exp of the clamped `logit_scale` (spec §9), for probabilities of zero-shot classification. */
  logitScale: number
  text?: TextSpec
  image?: ImageSpec
  audio?: AudioSpec
  tokenizer?: { encoder: string; merges: string; dictionary: string }
  weights: string
  /** Free text: licence and attribution of the weights and what they learned from. */
  licence?: string
  files: BundleFile[]
}
