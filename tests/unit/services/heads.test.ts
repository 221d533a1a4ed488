import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import type { HeadInfo, HeadInputs, HeadOutput } from '../../../src/encoder/encoder.ts'
import { MediaDecoder } from '../../../src/media/decoder.ts'
import { sniffMedia } from '../../../src/media/sniff.ts'
import { AudioPreparer } from '../../../src/preprocess/preparer.ts'
import { ContentEncoder } from '../../../src/services/content.ts'
import { HeadService } from '../../../src/services/heads.ts'
import { DEFAULT_LIMITS } from '../../../src/services/limits.ts'
import { FakeEncoder, wav } from '../../api/harness.ts'
import { png } from '../../api/pictures.ts'

const HEADS: HeadInfo[] = [
  { name: 'boxes', task: 'grounding', inputs: ['text', 'image'], classes: 4 },
  { name: 'things', task: 'classification', inputs: ['image'], classes: 3, labels: ['cat', 'dog', 'cow'] },
  { name: 'events', task: 'multi-label', inputs: ['audio'], classes: 2, labels: ['bell', 'rain'] },
  { name: 'moods', task: 'classification', inputs: ['text'], classes: 2 },
  { name: 'picture-qa', task: 'answering', inputs: ['text', 'image'], classes: 2, labels: ['yes', 'no'] },
  { name: 'sound-qa', task: 'answer-choice', inputs: ['text', 'audio'], classes: 1 },
  { name: 'pairs', task: 'pair-reasoning', inputs: ['text', 'image', 'image2'], classes: 2 },
  { name: 'parts', task: 'segmentation', inputs: ['image'], classes: 3, labels: ['ground', 'cat', 'dog'] },
]

/** Says how it was asked: the texts are kept, the ids are their lengths. */
class RecordingTokenizer {
  readonly texts: string[] = []
  encodeDataset = (text: string) => this.#keep(`dataset:${text}`)
  encodeGrounding = (text: string) => this.#keep(`grounding:${text}`)
  encodeAqa = (question: string, answer: string) => this.#keep(`aqa:${question}|${answer}`)
  #keep(text: string) {
    this.texts.push(text)
    return { tokenIds: [text.length, 2], truncated: text.includes('long') }
  }
}

const logitsOf = (...logits: number[]): HeadOutput => ({ logits: Float32Array.from(logits), dims: [logits.length] })

let encoder: FakeEncoder
let tokenizer: RecordingTokenizer
let asked: { name: string; inputs: HeadInputs }[]
let service: HeadService
const limits = { ...DEFAULT_LIMITS, maxInputs: 3, maxTextChars: 50 }
const media = new MediaDecoder()
const audio = new AudioPreparer()
afterAll(() => Promise.all([media.close(), audio.close()]))

function answerWith(answer: (inputs: HeadInputs) => HeadOutput): void {
  encoder.answer = (name, inputs) => {
    asked.push({ name, inputs })
    return answer(inputs)
  }
}

function serve(heads: HeadInfo[]): void {
  encoder = new FakeEncoder()
  encoder.heads = heads
  tokenizer = new RecordingTokenizer()
  asked = []
  const content = new ContentEncoder({ encoder, tokenizer: undefined, sniff: sniffMedia, media, audio, limits })
  service = new HeadService({ encoder, content, tokenizer, limits })
}

beforeEach(() => serve(HEADS))

describe('grounding', () => {
  it('gives each phrase its box, as fractions and in pixels of the picture', async () => {
    answerWith(({ text }) => ({
      ...logitsOf(0, 0, 0, 0),
      boxes: Float32Array.of(0.25, 0.5, 0.75, text!.tokenIds[0] === 'grounding:a cat'.length ? 1 : 0.75),
    }))
    const result = await service.ground(png(40, 20), ['a cat', 'the dog'])
    expect(result).toEqual({
      head: 'boxes',
      width: 40,
      height: 20,
      boxes: [
        { phrase: 'a cat', box: [0.25, 0.5, 0.75, 1], pixels: [10, 10, 30, 20], truncated: false },
        { phrase: 'the dog', box: [0.25, 0.5, 0.75, 0.75], pixels: [10, 10, 30, 15], truncated: false },
      ],
    })
    expect(tokenizer.texts).toEqual(['grounding:a cat', 'grounding:the dog'])
    expect(asked.map(({ inputs }) => inputs.image)).toMatchObject([
      { width: 40, height: 20 },
      { width: 40, height: 20 },
    ])
    expect(asked[0]!.inputs.image!.data.buffer).not.toBe(asked[1]!.inputs.image!.data.buffer)
  })

  it('refuses no phrase, a blank one, too many, and a sound', async () => {
    const ground = (phrases: string[], bytes = png(4, 4)) => service.ground(bytes, phrases)
    await expect(ground([])).rejects.toMatchObject({ code: 'unprocessable-content' })
    await expect(ground([' '])).rejects.toMatchObject({ code: 'unprocessable-content' })
    await expect(ground(['a', 'b', 'c', 'd'])).rejects.toMatchObject({ code: 'payload-too-large' })
    await expect(ground(['x'.repeat(51)])).rejects.toMatchObject({ code: 'input-too-long' })
    await expect(ground(['a'], wav(1))).rejects.toMatchObject({ code: 'undecodable-media' })
  })
})

describe('classifying', () => {
  it('gives probabilities that exclude each other, best first', async () => {
    answerWith(() => logitsOf(0, Math.log(3), Math.log(6)))
    const { scores } = await service.classify(png(4, 4), 'things')
    expect(scores.map(({ index, label }) => [index, label])).toEqual([
      [2, 'cow'],
      [1, 'dog'],
      [0, 'cat'],
    ])
    expect(scores.map(({ score }) => score)).toEqual([6, 3, 1].map((share) => expect.closeTo(share / 10, 6)))
  })

  it('gives each of several labels its own probability, of the first 15 s of a sound', async () => {
    answerWith(() => logitsOf(0, Math.log(3)))
    const { scores, truncated } = await service.classify(wav(20), 'events')
    expect(scores).toEqual([
      { index: 1, label: 'rain', score: expect.closeTo(0.75, 6) },
      { index: 0, label: 'bell', score: 0.5 },
    ])
    expect(truncated).toBe(true)
    expect(asked[0]!.inputs.audio!.waveform).toHaveLength(240_000)
    expect(await service.classify(wav(1), 'events')).toMatchObject({ truncated: false })
  })

  it('takes a text where the head does, without labels', async () => {
    answerWith(() => logitsOf(1, 1))
    const { scores } = await service.classify('so long', 'moods')
    expect(scores).toEqual([
      { index: 0, score: 0.5 },
      { index: 1, score: 0.5 },
    ])
    expect(tokenizer.texts).toEqual(['dataset:so long'])
  })

  it('refuses what the head does not take', async () => {
    const refused = { code: 'unsupported-by-model' }
    await expect(service.classify('a text', 'things')).rejects.toMatchObject(refused)
    await expect(service.classify(png(4, 4), 'moods')).rejects.toMatchObject(refused)
    await expect(service.classify(wav(1), 'things')).rejects.toMatchObject(refused)
    await expect(service.classify(png(4, 4), 'boxes')).rejects.toMatchObject(refused)
    await expect(service.classify(png(4, 4), 'nosuch')).rejects.toMatchObject({ code: 'not-found' })
  })
})

describe('answering', () => {
  it('ranks the answers that a head knows', async () => {
    answerWith(() => logitsOf(-1, 1))
    const { head, scores } = await service.answer(png(4, 4), 'Is it a cat?')
    expect([head, scores[0]!.label]).toEqual(['picture-qa', 'no'])
    expect(tokenizer.texts).toEqual(['dataset:Is it a cat?'])
  })

  it('compares the given candidates, as they are written', async () => {
    answerWith(({ text }) => logitsOf(text!.tokenIds[0] === 'aqa:What?|A Bell'.length ? 2 : 0))
    const { head, scores } = await service.answer(wav(1), 'What?', { candidates: ['rain', 'A Bell'] })
    expect(head).toBe('sound-qa')
    expect(scores).toEqual([
      { index: 1, label: 'A Bell', score: expect.closeTo(1 / (1 + Math.exp(-2)), 6) },
      { index: 0, label: 'rain', score: expect.closeTo(1 / (1 + Math.exp(2)), 6) },
    ])
    expect(tokenizer.texts).toEqual(['aqa:What?|rain', 'aqa:What?|A Bell'])
  })

  it('lets the medium decide between heads, and asks where it does not', async () => {
    const sounds: HeadInfo = { ...HEADS[4]!, name: 'sound-answers', inputs: ['text', 'audio'] }
    serve([...HEADS, sounds])
    answerWith(() => logitsOf(0, 0))
    expect((await service.answer(wav(1), 'What?')).head).toBe('sound-answers')
    expect((await service.answer(png(4, 4), 'What?')).head).toBe('picture-qa')
    serve([...HEADS, { ...HEADS[4]!, name: 'other' }])
    answerWith(() => logitsOf(0, 0))
    await expect(service.answer(png(4, 4), 'What?')).rejects.toThrow('several heads for answering: picture-qa, other')
    expect((await service.answer(png(4, 4), 'What?', { head: 'other' })).head).toBe('other')
  })

  it('refuses a medium that no head is asked about, and no candidates', async () => {
    await expect(service.answer(wav(1), 'What?')).rejects.toMatchObject({ code: 'unsupported-by-model' })
    await expect(service.answer(wav(1), 'What?', { candidates: [] })).rejects.toMatchObject({
      code: 'unprocessable-content',
    })
    serve([])
    await expect(service.answer(wav(1), 'What?')).rejects.toThrow('no head for answering; the heads: none')
  })
})

describe('comparing a pair', () => {
  it('says whether the statement holds; the first class is that it does', async () => {
    answerWith(({ image, image2 }) => logitsOf(image!.width < image2!.width ? 2 : -2, 0))
    const [small, large] = [png(2, 2), png(8, 8)]
    expect(await service.comparePair(small, large, 'The right one is larger.')).toMatchObject({
      head: 'pairs',
      holds: true,
      score: expect.closeTo(1 / (1 + Math.exp(-2)), 6),
    })
    expect((await service.comparePair(large, small, 'The right one is larger.')).holds).toBe(false)
    expect(tokenizer.texts[0]).toBe('dataset:The right one is larger.')
  })

  it('decodes many pairs at once without waiting for itself', async () => {
    answerWith(() => logitsOf(1, 0))
    const all = Array.from({ length: 12 }, () => service.comparePair(png(2, 2), png(4, 4), 'Both.'))
    expect(await Promise.all(all)).toHaveLength(12)
  })
})

describe('segmenting', () => {
  it('gives the likeliest class of each place', async () => {
    const planes = [
      [1, 0, 0, 5],
      [0, 2, 0, 4],
      [0, 0, 3, 6],
    ]
    answerWith(() => ({ logits: Float32Array.from(planes.flat()), dims: [3, 2, 2] }))
    expect(await service.segment(png(4, 4))).toEqual({
      head: 'parts',
      picture: { width: 4, height: 4 },
      width: 2,
      height: 2,
      data: Uint8Array.of(0, 1, 2, 2),
      labels: ['ground', 'cat', 'dog'],
    })
  })
})
