/**
 * The manifest of a bundle: the folder where converter and server meet. It names the graphs, says how inputs must be
 * prepared for them, and lists every file with its size and SHA-256.
 *
 *   bundle/
 *     manifest.json
 *     text.onnx  image.onnx  image_preprocess.onnx  audio.onnx    graphs (only the modalities the checkpoint has)
 *     head-<name>.onnx  image_preprocess_<side>.onnx              fine-tuned heads, and their picture size if another
 *     weights.bin                                                 external data, shared by all graphs; equal tensors once
 *     encoder.json  vocab.bpe  dict.txt                           tokenizer (official formats)
 */
import type { Modality } from '../modality.ts'

export const MANIFEST_FILE = 'manifest.json'
export const FORMAT_VERSION = 1

/**
 * How the weights are stored. Arithmetic is float32 with fp32 and fp16 (docs/adr/0004); with the others the products with
 * weights are in 8 bits (docs/precision.md).
 */
export const PRECISIONS = ['fp32', 'fp16', 'int8', 'int8-block', 'int4'] as const
export type Precision = (typeof PRECISIONS)[number]

export interface BundleFile {
  /** Path relative to the bundle folder. */
  path: string
  bytes: number
  /** Lower-case hex SHA-256 of the content. */
  sha256: string
}

/** How texts must be for a graph: `src_tokens` int64 (B, T), padded with 1. */
export interface TextLimits {
  /** Most ids before `eos`: 70 of an embedding (spec §10), of a head what its position table holds. */
  maxTokens: number
  vocabSize: number
}

/** How pictures must be for a graph: `src_images` float32 (B, 3, S, S), which the preprocess graph makes from pixels. */
export interface PictureInput {
  /** `image` uint8 (H, W, 3) → `src_images` float32 (1, 3, S, S), `resized` uint8 (S, S, 3). */
  preprocessGraph: string
  /** S: side of the square model input in pixels, a multiple of 16. */
  sizePx: number
}

/** How sounds must be for a graph: `src_audios` float32 (B, n), `audio_padding_masks` bool (B, T+1), true = padding. */
export interface SoundInput {
  sampleRateHz: number
  /** Shorter clips are tiled to this many samples (spec §12). */
  minSamples: number
  /** Longest window the encoder takes, in samples. */
  maxSamples: number
  /** Kernel and stride of each convolution of the front end; they determine T (spec §7). */
  convLayers: { kernel: number; stride: number }[]
}

/** What a graph takes, by modality. */
export interface InputSpecs {
  text?: TextLimits
  image?: PictureInput
  audio?: SoundInput
}

/** Embedding graphs give `embedding` float32 (B, D) and `hidden` float32 (B, T+1, D). */
export interface TextSpec extends TextLimits {
  graph: string
}
export interface ImageSpec extends PictureInput {
  graph: string
}
export interface AudioSpec extends SoundInput {
  graph: string
}

export const HEAD_TASKS = [
  /** A phrase's box in a picture: `boxes` (B, 4) = x0, y0, x1, y1 as fractions of its sides. */
  'grounding',
  /** One of N classes: softmax of `logits` (B, N). */
  'classification',
  /** Any of N classes: sigmoid of `logits`. */
  'multi-label',
  /** A question about a picture or sound, with one of N known answers: sigmoid of `logits`. */
  'answering',
  /** A question with one proposed answer: `logits` (B, 1), compared between the proposals. */
  'answer-choice',
  /** Whether a statement holds for two pictures: `logits` (B, 2), class 0 = it does. */
  'pair-reasoning',
  /** A class for each pixel: `logits` (B, N, S/4, S/4). */
  'segmentation',
] as const
export type HeadTask = (typeof HEAD_TASKS)[number]

/** `image2` is the second picture of a pair: `src_images_2`. */
export type HeadRole = Modality | 'image2'

/** A fine-tuned head with the trunk it was tuned with; what both share with other graphs is stored once. */
export interface HeadSpec extends InputSpecs {
  name: string
  task: HeadTask
  graph: string
  /** What it takes, in the order in which inputs are given. */
  inputs: HeadRole[]
  /** N */
  classes: number
  /** One a class. */
  labels?: string[]
}

export interface BundleManifest {
  formatVersion: typeof FORMAT_VERSION
  /** Name shown at `/v1/models`, e.g. `onepeace-nano`. */
  name: string
  /** D, the width of an embedding. */
  embedDim: number
  precision: Precision
  /** What the model embeds; nothing if it is but a head. */
  modalities: Modality[]
  /** exp of the clamped `logit_scale` (spec §9), for probabilities of zero-shot classification. */
  logitScale: number
  text?: TextSpec
  image?: ImageSpec
  audio?: AudioSpec
  heads?: HeadSpec[]
  tokenizer?: { encoder: string; merges: string; dictionary: string }
  weights: string
  /** Free text: licence and attribution of the weights and what they learned from. */
  licence?: string
  files: BundleFile[]
}
