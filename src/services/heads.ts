/**
 * What fine-tuned heads say of pictures, sounds and texts: boxes, classes, answers, comparisons, label maps.
 *
 *   bytes ─ decode (ContentEncoder) ─┐
 *   text ── tokenize, as the task ───┴─► runHead ─► logits ─► what the task makes of them
 *
 * Of a sound longer than 15 s a head hears the first 15 s, as in the reference; the answer then says `truncated`.
 */
import type { Encoder, HeadInfo, HeadInputs, HeadOutput, TextInput } from '../encoder/encoder.ts'
import { DomainError } from '../errors.ts'
import type { TokenizedText } from '../preprocess/tokenizer.ts'
import { assertText, type ContentEncoder, type ImageMedium, type Medium } from './content.ts'
import { crop } from './crop.ts'
import { cosine } from './embed.ts'
import { type HeadChoice, headsFor, onlyHead } from './head-choice.ts'
import type { Limits } from './limits.ts'
import { argmaxPlanes, sigmoids, softmax } from './scores.ts'

const MEDIA = ['image', 'audio'] as const satisfies Medium['modality'][]

/** How each task's data set reads its texts (spec §10). */
export interface HeadTokenizer {
  encodeDataset(text: string): TokenizedText
  encodeGrounding(text: string): TokenizedText
  encodeAqa(question: string, answer: string): TokenizedText
}

export interface HeadServiceDeps {
  encoder: Encoder
  content: Pick<ContentEncoder, 'withMedia' | 'encodePart'>
  tokenizer: HeadTokenizer | undefined
  limits: Limits
}

/** x0, y0, x1, y1. Their order is what the head learned and is not enforced. */
export type Box = [number, number, number, number]

export interface GroundedPhrase {
  phrase: string
  /** Fractions of the picture's width and height. */
  box: Box
  /** In pixels of the picture as shown. */
  pixels: Box
  /** Where it was asked for and the model embeds both: cosine of the phrase and what is in the box, -1 to 1. */
  score?: number
  truncated: boolean
}

export interface Grounding {
  head: string
  /** Pixels of the picture as shown. */
  width: number
  height: number
  boxes: GroundedPhrase[]
}

export interface Score {
  /** Class number, or place among the candidates. */
  index: number
  label?: string
  /** 0 to 1. */
  score: number
}

export interface Scores {
  head: string
  /** Best first. */
  scores: Score[]
  /** Whether a text was cut, or a sound is longer than what was heard. */
  truncated: boolean
}

export interface PairComparison {
  head: string
  holds: boolean
  /** Probability that the statement holds for the pair. */
  score: number
  truncated: boolean
}

export interface LabelMap {
  head: string
  /** Pixels of the picture as shown. */
  picture: { width: number; height: number }
  /** Side of the map; it covers the whole picture, whatever its shape. */
  width: number
  height: number
  /** A class for each place, row-major. */
  data: Uint8Array
  labels?: readonly string[]
}

export class HeadService {
  readonly #deps: HeadServiceDeps

  constructor(deps: HeadServiceDeps) {
    this.#deps = deps
  }

  /**
   * The box of each phrase in a picture. A head always gives one, whether or not the phrase is there; with `scored`, how
   * near the phrase is to what the box holds tells one from the other.
   * @throws DomainError `unsupported-by-model` (no such head), `unprocessable-content` (no phrase, a blank one, or several
   *   heads and none named), `payload-too-large`, `not-found` (head), and those of decoding and of `Encoder.runHead`
   */
  async ground(
    bytes: Uint8Array,
    phrases: readonly string[],
    options: HeadChoice & { scored?: boolean } = {},
    signal?: AbortSignal,
  ): Promise<Grounding> {
    const head = this.#head(['grounding'], options)
    this.#assertCount(phrases, 'phrase')
    const texts = phrases.map((phrase) => this.#text(phrase, (tokenizer) => tokenizer.encodeGrounding(phrase)))
    return this.#withPictures([bytes], signal, async ([image]) => {
      const { width, height } = image!.image
      const outputs = await this.#runEach(head, texts, image!, signal)
      const boxes = outputs.map((output, i): GroundedPhrase => {
        const box = Array.from(output.boxes!) as Box
        const pixels: Box = [box[0] * width, box[1] * height, box[2] * width, box[3] * height]
        return { phrase: phrases[i]!, box, pixels, truncated: texts[i]!.truncated }
      })
      if (options.scored && this.#embedsPicturesAndTexts()) await this.#score(boxes, image!, signal)
      return { head: head.name, width, height, boxes }
    })
  }

  /** @throws DomainError `unsupported-by-model`, `not-found` (head): asked before work that would be in vain */
  assertGrounds(choice: HeadChoice = {}): void {
    this.#head(['grounding'], choice)
  }

  #embedsPicturesAndTexts(): boolean {
    const { modalities } = this.#deps.encoder
    return modalities.includes('image') && modalities.includes('text')
  }

  async #score(boxes: GroundedPhrase[], { image }: ImageMedium, signal?: AbortSignal): Promise<void> {
    const scoreOne = async (grounded: GroundedPhrase) => {
      const part = this.#deps.encoder.encode(crop(image, grounded.pixels), signal)
      const phrase = this.#deps.content.encodePart({ kind: 'text', text: grounded.phrase, weight: 1 }, signal)
      const [inBox, said] = await Promise.all([part, phrase])
      grounded.score = cosine(inBox, said.points[0]!.vector)
    }
    await Promise.all(boxes.map(scoreOne))
  }

  /** Classes of a picture or sound, or of a text, by a named head. @throws DomainError as `ground` */
  async classify(content: Uint8Array | string, head: string, signal?: AbortSignal): Promise<Scores> {
    const info = this.#head(['classification', 'multi-label'], { head })
    const [role] = info.inputs
    if (typeof content === 'string') {
      if (role !== 'text') throw new DomainError('unsupported-by-model', `The head '${head}' takes ${role}, not text.`)
      const { input, truncated } = this.#text(content, (tokenizer) => tokenizer.encodeDataset(content))
      return scoresOf(info, await this.#run(info, { text: input }, signal), truncated)
    }
    const takes = role === 'image' || role === 'audio' ? [role] : []
    if (takes.length === 0) throw new DomainError('unsupported-by-model', `The head '${head}' takes text, not media.`)
    const classifyOne = async ([medium]: Medium[]) =>
      scoresOf(info, await this.#run(info, copyOf(medium!), signal), isCut(medium!))
    return this.#deps.content.withMedia([{ bytes: content }], takes, classifyOne, signal)
  }

  /**
   * The answers to a question about a picture or sound: those that a head knows (each by itself, as it was trained), or
   * the given candidates compared.
   * @throws DomainError as `ground`
   */
  async answer(
    bytes: Uint8Array,
    question: string,
    options: HeadChoice & { candidates?: readonly string[] | undefined } = {},
    signal?: AbortSignal,
  ): Promise<Scores> {
    const { candidates } = options
    if (candidates) this.#assertCount(candidates, 'candidate')
    const able = headsFor(this.#deps.encoder.heads, [candidates ? 'answer-choice' : 'answering'], options)
    const takes = MEDIA.filter((kind) => able.some(({ inputs }) => inputs.includes(kind)))
    const texts = (candidates ?? [undefined]).map((candidate) => this.#question(question, candidate))
    const answerOne = async ([medium]: Medium[]) => {
      const head = onlyHead(able.filter(({ inputs }) => inputs.includes(medium!.modality)))
      const outputs = await this.#runEach(head, texts, medium!, signal)
      const truncated = isCut(medium!) || texts.some((text) => text.truncated)
      if (!candidates) return scoresOf(head, outputs[0]!, truncated)
      const scores = softmax(outputs.map(({ logits }) => logits[0]!))
      return { head: head.name, scores: ranked(scores, candidates), truncated }
    }
    return this.#deps.content.withMedia([{ bytes }], takes, answerOne, signal)
  }

  /** Whether a statement holds for two pictures, the first being the left one. @throws DomainError as `ground` */
  async comparePair(
    first: Uint8Array,
    second: Uint8Array,
    statement: string,
    choice: HeadChoice = {},
    signal?: AbortSignal,
  ): Promise<PairComparison> {
    const head = this.#head(['pair-reasoning'], choice)
    const { input, truncated } = this.#text(statement, (tokenizer) => tokenizer.encodeDataset(statement))
    return this.#withPictures([first, second], signal, async ([left, right]) => {
      const { logits } = await this.#run(head, { text: input, image: left!.image, image2: right!.image }, signal)
      const [score] = softmax(logits) // class 0 = it holds (spec §4.4)
      return { head: head.name, holds: score! >= 0.5, score: score!, truncated }
    })
  }

  /** The class of each part of a picture, at the head's resolution. @throws DomainError as `ground` */
  async segment(bytes: Uint8Array, choice: HeadChoice = {}, signal?: AbortSignal): Promise<LabelMap> {
    const head = this.#head(['segmentation'], choice)
    return this.#withPictures([bytes], signal, async ([medium]) => {
      const picture = { width: medium!.image.width, height: medium!.image.height }
      const { logits, dims } = await this.#run(head, { image: medium!.image }, signal)
      const [classes, height, width] = dims as [number, number, number]
      const data = argmaxPlanes(logits, classes, height * width)
      return { head: head.name, picture, width, height, data, ...(head.labels && { labels: head.labels }) }
    })
  }

  /** @throws DomainError */
  #head(tasks: readonly HeadInfo['task'][], choice: HeadChoice): HeadInfo {
    return onlyHead(headsFor(this.#deps.encoder.heads, tasks, choice))
  }

  #question(question: string, candidate: string | undefined) {
    if (candidate === undefined) return this.#text(question, (tokenizer) => tokenizer.encodeDataset(question))
    assertText(candidate, this.#deps.limits)
    return this.#text(question, (tokenizer) => tokenizer.encodeAqa(question, candidate))
  }

  #text(text: string, encode: (tokenizer: HeadTokenizer) => TokenizedText): { input: TextInput; truncated: boolean } {
    const { tokenizer, limits } = this.#deps
    assertText(text, limits)
    if (!tokenizer) throw new DomainError('unsupported-by-model', 'The model has no tokenizer, so no text.')
    const { tokenIds, truncated } = encode(tokenizer)
    return { input: { modality: 'text', tokenIds }, truncated }
  }

  #assertCount(texts: readonly string[], what: string): void {
    const { maxInputs } = this.#deps.limits
    if (texts.length === 0) throw new DomainError('unprocessable-content', `There is no ${what}; give at least one.`)
    if (texts.length <= maxInputs) return
    throw new DomainError('payload-too-large', `There are ${texts.length} ${what}s; at most ${maxInputs} are taken.`)
  }

  #withPictures<T>(
    pictures: readonly Uint8Array[],
    signal: AbortSignal | undefined,
    use: (pictures: ImageMedium[]) => Promise<T>,
  ): Promise<T> {
    const sources = pictures.map((bytes) => ({ bytes, expected: 'image' as const }))
    return this.#deps.content.withMedia(sources, ['image'], (media) => use(media as ImageMedium[]), signal)
  }

  /** Runs the head on one medium with each of the texts, one after another, as each run takes a copy of the medium. */
  async #runEach(
    head: HeadInfo,
    texts: readonly { input: TextInput }[],
    medium: Medium,
    signal?: AbortSignal,
  ): Promise<HeadOutput[]> {
    const outputs: HeadOutput[] = []
    for (const { input } of texts) outputs.push(await this.#run(head, { text: input, ...copyOf(medium) }, signal))
    return outputs
  }

  #run(head: HeadInfo, inputs: HeadInputs, signal?: AbortSignal): Promise<HeadOutput> {
    return this.#deps.encoder.runHead(head.name, inputs, signal)
  }
}

/** Running a head takes its inputs away. */
function copyOf(medium: Medium): HeadInputs {
  if (medium.modality === 'image') return { image: { ...medium.image, data: medium.image.data.slice() } }
  return { audio: { modality: 'audio', waveform: medium.windows[0]!.waveform.slice() } }
}

const isCut = (medium: Medium): boolean => medium.modality === 'audio' && medium.windows.length > 1

/** Classes exclude each other in classification only (spec §9.3, §13.5). */
function scoresOf({ name, task, labels }: HeadInfo, { logits }: HeadOutput, truncated: boolean): Scores {
  const scores = task === 'classification' ? softmax(logits) : sigmoids(logits)
  return { head: name, scores: ranked(scores, labels), truncated }
}

function ranked(scores: readonly number[], labels: readonly string[] | undefined): Score[] {
  const named = scores.map((score, index) => ({ index, ...(labels && { label: labels[index]! }), score }))
  return named.sort((a, b) => b.score - a.score)
}
