/** What an input must look like for a bundle, what it costs, and which inputs may share a batch. */
import type { BundleManifest, InputSpecs, SoundInput, TextLimits } from '../bundle/manifest.ts'
import { DomainError } from '../errors.ts'
import type { EncoderInput } from './encoder.ts'

/** Texts are padded to a multiple of this, so that batch-mates do not change the shapes an item is computed with. */
const TOKEN_STEP = 8

/** Tokens after padding, at most the model's longest text. */
export function paddedTokens(tokens: number, { maxTokens }: TextLimits): number {
  return Math.max(tokens, Math.min(Math.ceil(tokens / TOKEN_STEP) * TOKEN_STEP, maxTokens + 1))
}

/**
 * Checks an input against the bundle.
 * @throws DomainError `unsupported-by-model`, `input-too-long`, `media-too-large`
 * @throws TypeError if the input is malformed, which is a defect of the caller
 */
export function checkInput(input: EncoderInput, manifest: BundleManifest): void {
  if (!manifest.modalities.includes(input.modality) || !manifest[input.modality]) {
    const able = manifest.modalities.join(', ') || 'nothing'
    const message = `The model ${manifest.name} does not encode ${input.modality}; it encodes ${able}.`
    throw new DomainError('unsupported-by-model', message)
  }
  checkShape(input, manifest)
}

/** As `checkInput`, for a graph that takes the modality. */
export function checkShape(input: EncoderInput, specs: InputSpecs): void {
  if (input.modality === 'text') checkText(input.tokenIds, specs.text!)
  else if (input.modality === 'image') checkImage(input)
  else checkAudio(input.waveform.length, specs.audio!)
}

function checkText(tokenIds: readonly number[], { maxTokens, vocabSize }: TextLimits): void {
  const known = (id: number) => Number.isInteger(id) && id >= 0 && id < vocabSize
  if (tokenIds.length === 0 || !tokenIds.every(known)) throw new TypeError('Token ids are absent or not of the model.')
  if (tokenIds.length <= maxTokens + 1) return
  throw new DomainError('input-too-long', `The text has ${tokenIds.length - 1} tokens; cut it to ${maxTokens}.`)
}

function checkImage({ width, height, data }: { width: number; height: number; data: Uint8Array }): void {
  const isSide = (side: number) => Number.isInteger(side) && side > 0
  if (!isSide(width) || !isSide(height) || data.length !== width * height * 3) {
    throw new TypeError(`Pixels are not ${width} x ${height} x 3 bytes, but ${data.length}.`)
  }
}

function checkAudio(samples: number, { minSamples, maxSamples }: SoundInput): void {
  if (samples < minSamples) throw new TypeError(`The waveform has ${samples} samples, fewer than ${minSamples}.`)
  if (samples <= maxSamples) return
  throw new DomainError('media-too-large', `The sound has ${samples} samples; cut it to ${maxSamples}.`)
}

/** Memory that an input takes while it waits, in units of its modality: tokens after padding, pixels, or samples. */
export function costOf(input: EncoderInput, manifest: BundleManifest): number {
  if (input.modality === 'text') return paddedTokens(input.tokenIds.length, manifest.text!)
  return input.modality === 'image' ? input.width * input.height : input.waveform.length
}

/** Side of the square that a position of a picture stands for, in pixels: the strides of the image adapter's stem. */
const PATCH_PX = 16

/**
 * What an input costs to compute, nearly: positions that go through the layers, i.e. padded tokens, patches, or frames, the
 * first of a picture or sound included.
 */
export function positionsOf(input: EncoderInput, manifest: BundleManifest): number {
  if (input.modality === 'text') return paddedTokens(input.tokenIds.length, manifest.text!)
  if (input.modality === 'image') return Math.floor(manifest.image!.sizePx / PATCH_PX) ** 2 + 1
  return frameCount(input.waveform.length, manifest.audio!) + 1
}

/** T: frames that the convolutions make of n samples (spec §7). */
export function frameCount(samples: number, { convLayers }: Pick<SoundInput, 'convLayers'>): number {
  return convLayers.reduce((n, { kernel, stride }) => Math.floor((n - kernel) / stride) + 1, samples)
}

/**
 * Inputs of equal bucket may share a batch: texts of equal padded length, all images, sounds of exactly equal length
 * (padding a sound would change its embedding, spec §7).
 */
export function bucketOf(input: EncoderInput, manifest: BundleManifest): number {
  return input.modality === 'image' ? 0 : costOf(input, manifest)
}
