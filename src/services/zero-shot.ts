/**
 * Zero-shot classification: which of some labels, put into a sentence, lies nearest to a content.
 *   probability = softmax over the labels of (logit scale × cosine), the scale being the model's own (paper §3.3)
 */
import { DomainError } from '../errors.ts'
import type { Modality } from '../modality.ts'
import type { Content, ContentEncoder } from './content.ts'
import { cosine } from './embed.ts'
import type { ModelService } from './models.ts'
import { softmax } from './scores.ts'

export interface LabelScore {
  label: string
  /** Cosine of content and labelled sentence, -1 to 1. */
  score: number
  /** Among the labels given, 0 to 1. */
  probability: number
}

/** Sentences of the paper's own zero-shot tests (pictures as CLIP's, sounds as ESC-50's); texts stand for themselves. */
const TEMPLATES: Record<Modality | 'mixed', string> = {
  image: 'a photo of a {}',
  audio: 'This is a sound of {}',
  text: '{}',
  mixed: '{}',
}

export class ZeroShotService {
  readonly #content: ContentEncoder
  readonly #models: ModelService

  constructor(content: ContentEncoder, models: ModelService) {
    this.#content = content
    this.#models = models
  }

  /**
   * Best first.
   * @param template a sentence with `{}` where the label goes; the modality's own if absent
   * @throws DomainError `unprocessable-content` (no label, a blank one), and those of `ContentEncoder.encodeAll`
   */
  async classify(
    input: Content,
    labels: readonly string[],
    template?: string,
    signal?: AbortSignal,
  ): Promise<LabelScore[]> {
    if (labels.length === 0) throw new DomainError('unprocessable-content', 'There is no label; give at least one.')
    if (labels.some((label) => label.trim() === '')) {
      throw new DomainError('unprocessable-content', 'A label is empty; each needs at least one word.')
    }
    const [encoded] = await this.#content.encodeAll([input], signal)
    const sentence = template ?? TEMPLATES[encoded!.modality]
    const texts = labels.map((label) => sentence.replaceAll('{}', () => label))
    const encodedLabels = await this.#content.encodeAll(
      texts.map((text) => [{ kind: 'text', text, weight: 1 }]),
      signal,
    )
    const scores = encodedLabels.map(({ vector }) => cosine(encoded!.vector, vector))
    const probabilities = softmax(scores.map((score) => score * this.#models.info.logitScale))
    const results = labels.map((label, i) => ({ label, score: scores[i]!, probability: probabilities[i]! }))
    return results.sort((a, b) => b.score - a.score)
  }
}
