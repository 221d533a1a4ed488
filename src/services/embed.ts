/** Contents → vectors, and cosines between them; nothing is stored. */
import { DomainError } from '../errors.ts'
import type { Content, ContentEncoder, EncodedContent } from './content.ts'
import type { ModelService } from './models.ts'

export interface EmbedOptions {
  /** Must be the loaded model's name. */
  model?: string | undefined
  /** Must be the model's own D. */
  dimensions?: number | undefined
}

export class EmbedService {
  readonly #content: ContentEncoder
  readonly #models: ModelService

  constructor(content: ContentEncoder, models: ModelService) {
    this.#content = content
    this.#models = models
  }

  /** @throws DomainError `not-found` (model), `unsupported-by-model` (dimensions), and those of `ContentEncoder` */
  async embed(contents: readonly Content[], options: EmbedOptions, signal?: AbortSignal): Promise<EncodedContent[]> {
    this.#models.assertNamed(options.model)
    const { embedDim, name } = this.#models.info
    if (options.dimensions !== undefined && options.dimensions !== embedDim) {
      const message = `The model '${name}' makes ${embedDim} dimensions; ${options.dimensions} cannot be had.`
      throw new DomainError('unsupported-by-model', message)
    }
    return this.#content.encodeAll(contents, signal)
  }

  /** Cosine of every `a` (rows) with every `b` (columns). A failing `index` counts through `a`, then `b`. */
  async similarity(a: readonly Content[], b: readonly Content[], signal?: AbortSignal): Promise<number[][]> {
    if (a.length === 0 || b.length === 0) {
      throw new DomainError('unprocessable-content', 'Both `a` and `b` must hold at least one content.')
    }
    const encoded = await this.#content.encodeAll([...a, ...b], signal)
    const vectors = encoded.map((each) => each.vector)
    return vectors.slice(0, a.length).map((row) => vectors.slice(a.length).map((column) => cosine(row, column)))
  }
}

/** Cosine of two unit vectors, kept within -1 to 1 against rounding. */
export function cosine(a: Float32Array, b: Float32Array): number {
  let sum = 0
  for (let d = 0; d < a.length; d++) sum += a[d]! * b[d]!
  return Math.max(-1, Math.min(1, sum))
}
