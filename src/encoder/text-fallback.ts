/**
 * Encoder services, and beside them this process's own copy of the text branch, of the same bundle: texts are encoded here while no
 * service can be asked (it sleeps, or is gone), so that searching by words goes on. Vectors are equal within the precision of the
 * device they were computed on; pictures, sounds and heads are the services' alone.
 */
import type { BundleManifest } from '../bundle/manifest.ts'
import { DomainError } from '../errors.ts'
import type { Modality } from '../modality.ts'
import type { BranchState, Encoder, EncoderInput, HeadInputs, HeadOutput } from './encoder.ts'

/** Encoder services; `isReady` is known without asking. */
export interface ServicesEncoder extends Encoder {
  readonly isReady: boolean
}

export class TextFallback implements Encoder {
  readonly #services: ServicesEncoder
  readonly #local: Encoder

  /** Takes both over: closing this one closes them. @param local of `textOnly` of the same bundle */
  constructor(services: ServicesEncoder, local: Encoder) {
    this.#services = services
    this.#local = local
  }

  get embedDim() {
    return this.#services.embedDim
  }

  get modalities() {
    return this.#services.modalities
  }

  get heads() {
    return this.#services.heads
  }

  async encode(input: EncoderInput, signal?: AbortSignal): Promise<Float32Array> {
    if (input.modality !== 'text') return this.#services.encode(input, signal)
    if (!this.#services.isReady) return this.#local.encode(input, signal)
    try {
      return await this.#services.encode(input, signal)
    } catch (error) {
      if (!isAway(error)) throw error
      return this.#local.encode(input, signal)
    }
  }

  runHead(name: string, inputs: HeadInputs, signal?: AbortSignal): Promise<HeadOutput> {
    return this.#services.runHead(name, inputs, signal)
  }

  /** Something can be done as soon as one of both is ready; texts, too. */
  async ready(modality?: Modality): Promise<void> {
    try {
      await this.#services.ready(modality)
    } catch (error) {
      if (!isAway(error) || (modality ?? 'text') !== 'text') throw error
      await this.#local.ready('text')
    }
  }

  stateOf(modality: Modality): BranchState {
    if (modality === 'text' && !this.#services.isReady) return this.#local.stateOf?.(modality) ?? 'ready'
    return this.#services.stateOf?.(modality) ?? 'ready'
  }

  async close(): Promise<void> {
    await Promise.all([this.#services.close(), this.#local.close()])
  }
}

/** The bundle's text branch alone. @throws DomainError `unsupported-by-model` if it has none */
export function textOnly(manifest: BundleManifest): BundleManifest {
  const { image: _image, audio: _audio, heads: _heads, ...rest } = manifest
  if (rest.text === undefined) {
    throw new DomainError(
      'unsupported-by-model',
      `The model ${manifest.name} encodes no text; unset ENCODER_TEXT_LOCAL.`,
    )
  }
  return { ...rest, modalities: ['text'] }
}

function isAway(error: unknown): boolean {
  return error instanceof DomainError && (error.code === 'encoder-unavailable' || error.code === 'encoder-starting')
}
