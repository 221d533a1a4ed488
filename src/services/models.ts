/** What the one loaded model is, and whether it can be used now. */
import type { Encoder, HeadInfo } from '../encoder/encoder.ts'
import { DomainError } from '../errors.ts'
import type { Modality } from '../modality.ts'
import type { NewCollection } from '../vectors/store.ts'
import type { Limits } from './limits.ts'

export interface ModelInfo {
  name: string
  /** D. */
  embedDim: number
  modalities: readonly Modality[]
  precision: string
  /** Of the contrastive loss: what cosines are multiplied by before a softmax. */
  logitScale: number
  /** SHA-256 that identifies the bundle, over the names and hashes of its files. */
  sha256: string
  /** Seconds since 1970 when the bundle was made, as OpenAI's list has it. */
  createdS: number
  limits: Limits
}

export type { HeadInfo }

/** How long a readiness question waits for sessions that are still opening. */
const READY_WITHIN_MS = 500

export class ModelService {
  readonly info: ModelInfo
  readonly #encoder: Encoder

  constructor(info: ModelInfo, encoder: Encoder) {
    this.info = info
    this.#encoder = encoder
  }

  /** Fine-tuned heads of the model. */
  get heads(): readonly HeadInfo[] {
    return this.#encoder.heads
  }

  /** @throws DomainError `not-found` if a model is named and it is not the loaded one */
  assertNamed(name: string | undefined): void {
    if (name === undefined || name === this.info.name) return
    throw new DomainError('not-found', `There is no model '${name}' here; the loaded one is '${this.info.name}'.`)
  }

  /** @throws DomainError `conflict` if the collection holds another model's vectors */
  assertMade(collection: NewCollection): void {
    if (collection.model === this.info.name && collection.embedDim === this.info.embedDim) return
    throw new DomainError(
      'conflict',
      `The collection '${collection.name}' holds vectors of the model '${collection.model}' (${collection.embedDim} ` +
        `values); those of '${this.info.name}' (${this.info.embedDim}) cannot be compared with them. ` +
        'The operator can have them made anew with `onepeace reembed`.',
    )
  }

  /** @throws DomainError `encoder-unavailable` with the reason */
  async ready(): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const patience = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(unavailable('The model is still being loaded.')), READY_WITHIN_MS)
    })
    try {
      await Promise.race([this.#encoder.ready(), patience])
    } catch (error) {
      throw error instanceof DomainError ? error : unavailable('The model could not be loaded.', error)
    } finally {
      clearTimeout(timer)
    }
  }
}

function unavailable(message: string, cause?: unknown): DomainError {
  return new DomainError('encoder-unavailable', message, { cause, retryAfterS: 5 })
}
