import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { HeadInputs } from '../../src/encoder/encoder.ts'
import { call } from './conforms.ts'
import { form, type Harness, MODEL, startHarness, wav } from './harness.ts'
import { dataUrl, png } from './pictures.ts'

let h: Harness
let asked: { name: string; inputs: HeadInputs }[] = []
const picture = png(40, 20, [200, 30, 30])
const image = { type: 'image_url', image_url: { url: dataUrl(picture) } }
const sound = { type: 'audio_url', audio_url: { url: dataUrl(wav(1), 'audio/wav') } }

beforeAll(async () => {
  h = await startHarness()
  h.encoder.heads = [
    { name: 'boxes', task: 'grounding', inputs: ['text', 'image'], classes: 4 },
    { name: 'things', task: 'classification', inputs: ['image'], classes: 3, labels: ['cat', 'dog', 'cow'] },
    { name: 'parts', task: 'segmentation', inputs: ['image'], classes: 2, labels: ['sky', 'bird'] },
    { name: 'moods', task: 'classification', inputs: ['text'], classes: 2 },
    { name: 'picture-qa', task: 'answering', inputs: ['text', 'image'], classes: 2, labels: ['yes', 'no'] },
    { name: 'sound-qa', task: 'answer-choice', inputs: ['text', 'audio'], classes: 1 },
  ]
  h.encoder.answer = (name, inputs) => {
    asked.push({ name, inputs })
    if (name === 'parts') return { logits: Float32Array.of(1, 1, 1, 0, 0, 0, 0, 9), dims: [2, 2, 2] }
    const logits = { things: [0, 2, 1], moods: [1, 0], 'picture-qa': [-1, 3], 'sound-qa': [asked.length], boxes: [0] }[
      name
    ]!
    return { logits: Float32Array.from(logits), dims: [logits.length], boxes: Float32Array.of(0.25, 0.5, 0.75, 1) }
  }
})
afterAll(() => h.close())

const post = (url: string, payload: object) => call(h.app, { method: 'POST', url, payload })

describe('POST /v1/classify', () => {
  it('ranks labels by cosine, with probabilities that add up to one', async () => {
    const response = await post('/v1/classify', { input: 'a dog', labels: ['a cat', 'a dog'], template: '{}' })
    expect(response.statusCode).toBe(200)
    const { results, model } = response.json()
    expect(model).toBe(MODEL)
    expect(results[0]).toMatchObject({ label: 'a dog', score: expect.closeTo(1, 5) })
    expect(results[0].score).toBeGreaterThan(results[1].score)
    expect(results[0].probability + results[1].probability).toBeCloseTo(1, 6)
  })

  it("puts the label into the template, by default the modality's own", async () => {
    const given = (await post('/v1/classify', { input: image, labels: ['dog'], template: 'a photo of a {}' })).json()
    const byDefault = (await post('/v1/classify', { input: image, labels: ['dog'] })).json()
    const other = (await post('/v1/classify', { input: image, labels: ['dog'], template: 'one {}' })).json()
    expect(byDefault.results).toEqual(given.results)
    expect(other.results[0].score).not.toBe(given.results[0].score)
  })

  it('keeps a dollar sign of a label as it is', async () => {
    const { results } = (
      await post('/v1/classify', { input: 'costs $& much', labels: ['$&'], template: 'costs {} much' })
    ).json()
    expect(results[0].score).toBeCloseTo(1, 5)
  })

  it('asks a head by name, in JSON and as a form alike', async () => {
    const json = (await post('/v1/classify', { input: image, head: 'things' })).json()
    const bytes = await form([
      ['file', picture],
      ['head', 'things'],
    ])
    const sent = (await call(h.app, { method: 'POST', url: '/v1/classify', ...bytes })).json()
    expect(json.results.map(({ label }: { label: string }) => label)).toEqual(['dog', 'cow', 'cat'])
    expect(json).toMatchObject({ head: 'things', truncated: false })
    expect(sent).toEqual(json)
  })

  it('numbers the classes of a head without labels', async () => {
    const { results } = (await post('/v1/classify', { input: 'fine', head: 'moods' })).json()
    expect(results.map(({ label }: { label: string }) => label)).toEqual(['0', '1'])
  })

  it('refuses labels and head together, neither, no label, a blank one, and a template without a place', async () => {
    const status = async (more: object) => (await post('/v1/classify', { input: 'a', ...more })).statusCode
    expect(await status({ labels: ['a'], head: 'things' })).toBe(400)
    expect(await status({})).toBe(400)
    expect(await status({ labels: ['a'], template: 'no place' })).toBe(400)
    expect(await status({ labels: [] })).toBe(422)
    expect(await status({ labels: [' '] })).toBe(422)
    expect(await status({ head: 'nosuch' })).toBe(404)
    expect(await status({ head: 'things' })).toBe(422)
  })
})

describe('POST /v1/ground', () => {
  it('gives a box in pixels and fractions, and the cosine of phrase and part, in JSON and as a form alike', async () => {
    h.encoder.seen = []
    const json = (await post('/v1/ground', { image, phrases: ['the dog', 'a cat'] })).json()
    expect(json).toMatchObject({ image: { width: 40, height: 20 }, head: 'boxes', model: MODEL })
    expect(json.results.map(({ phrase }: { phrase: string }) => phrase)).toEqual(['the dog', 'a cat'])
    expect(json.results[0]).toMatchObject({
      box: { x1: 10, y1: 10, x2: 30, y2: 20 },
      box_normalized: { x1: 0.25, y1: 0.5, x2: 0.75, y2: 1 },
      truncated: false,
    })
    expect(h.encoder.seen).toContainEqual(expect.objectContaining({ modality: 'image', width: 20, height: 10 }))
    expect(Math.abs(json.results[0].score)).toBeLessThanOrEqual(1)
    const bytes = await form([
      ['file', picture],
      ['phrases', 'the dog'],
      ['phrases', 'a cat'],
    ])
    expect((await call(h.app, { method: 'POST', url: '/v1/ground', ...bytes })).json()).toEqual(json)
  })

  it('refuses what is no picture, no phrase and two pictures', async () => {
    expect((await post('/v1/ground', { image: sound, phrases: ['a'] })).statusCode).toBe(400)
    expect((await post('/v1/ground', { image, phrases: [] })).json().code).toBe('unprocessable-content')
    const two = await form([
      ['file', picture],
      ['file', picture],
      ['phrases', 'a'],
    ])
    expect((await call(h.app, { method: 'POST', url: '/v1/ground', ...two })).statusCode).toBe(400)
    const bell = await form([
      ['file', wav(1)],
      ['phrases', 'a'],
    ])
    expect((await call(h.app, { method: 'POST', url: '/v1/ground', ...bell })).statusCode).toBe(422)
  })
})

describe('POST /v1/segment', () => {
  it('gives the map in runs, and the classes by their share, in JSON and as a form alike', async () => {
    const json = (await post('/v1/segment', { image })).json()
    expect(json).toEqual({
      image: { width: 40, height: 20 },
      map: {
        width: 2,
        height: 2,
        runs: [
          [0, 3],
          [1, 1],
        ],
      },
      classes: [
        { class: 0, label: 'sky', share: 0.75 },
        { class: 1, label: 'bird', share: 0.25 },
      ],
      head: 'parts',
      model: MODEL,
    })
    const bytes = await form([
      ['file', picture],
      ['head', 'parts'],
    ])
    expect((await call(h.app, { method: 'POST', url: '/v1/segment', ...bytes })).json()).toEqual(json)
  })

  it('refuses what is no picture, and a head of another task', async () => {
    expect((await post('/v1/segment', { image: sound })).statusCode).toBe(400)
    expect((await post('/v1/segment', { image, head: 'nosuch' })).json().code).toBe('not-found')
    expect((await post('/v1/segment', { image, head: 'things' })).json().code).toBe('unsupported-by-model')
    const empty = await form([['head', 'parts']])
    expect((await call(h.app, { method: 'POST', url: '/v1/segment', ...empty })).statusCode).toBe(400)
  })
})

it('tells at /v1/models what each head does', async () => {
  const [model] = (await call(h.app, { method: 'GET', url: '/v1/models' })).json().data
  expect(model.heads).toEqual(h.encoder.heads.map(({ name }) => name))
  expect(model.head_details).toEqual(h.encoder.heads)
})

describe('POST /v1/ask', () => {
  it('answers of its own accord, best first', async () => {
    const { answers, head } = (await post('/v1/ask', { input: image, question: 'Is it a cat?' })).json()
    expect(head).toBe('picture-qa')
    expect(answers.map(({ answer }: { answer: string }) => answer)).toEqual(['no', 'yes'])
  })

  it('compares candidates, in JSON and as a form alike', async () => {
    asked = []
    const json = (await post('/v1/ask', { input: sound, question: 'What?', candidates: ['rain', 'bell'] })).json()
    expect(json).toMatchObject({ head: 'sound-qa', answers: [{ answer: 'bell' }, { answer: 'rain' }] })
    const bytes = await form([
      ['file', wav(1)],
      ['question', 'What?'],
      ['candidates', 'rain'],
      ['candidates', 'bell'],
    ])
    asked = []
    expect((await call(h.app, { method: 'POST', url: '/v1/ask', ...bytes })).json()).toEqual(json)
  })

  it('says so where the model has no such head, and refuses a text as input', async () => {
    const response = await post('/v1/ask', { input: sound, question: 'What?' })
    expect(response.json()).toMatchObject({ status: 422, code: 'unsupported-by-model' })
    expect((await post('/v1/ask', { input: 'a text', question: 'What?' })).statusCode).toBe(400)
  })
})
