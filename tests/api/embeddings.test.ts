import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { call } from './conforms.ts'
import { DIM, form, type Harness, MODEL, overloaded, startHarness, wav } from './harness.ts'
import { dataUrl, png } from './pictures.ts'

let h: Harness
beforeAll(async () => {
  h = await startHarness({ limits: { maxInputs: 4, maxTexts: 8 } })
})
afterAll(() => h.close())
beforeEach(() => {
  h.encoder.seen = []
  h.encoder.failure = undefined
  h.encoder.delayMs = 0
})

const embed = (payload: object, headers: Record<string, string> = {}) =>
  call(h.app, { method: 'POST', url: '/v1/embeddings', payload, headers })
const vectorsOf = (response: { json(): { data: { embedding: number[] }[] } }) =>
  response.json().data.map((each) => each.embedding)
const cosine = (a: number[], b: number[]) => a.reduce((sum, value, i) => sum + value * b[i]!, 0)

describe('POST /v1/embeddings', () => {
  it("answers a text in OpenAI's shape", async () => {
    const response = await embed({ input: 'a dog barks', model: MODEL, user: 'someone', dimensions: DIM })
    expect(response.statusCode).toBe(200)
    const { embedding, ...rest } = response.json().data[0]
    expect(rest).toEqual({ object: 'embedding', index: 0, modality: 'text', truncated: false })
    expect(embedding).toHaveLength(DIM)
    expect(response.json()).toMatchObject({
      object: 'list',
      model: MODEL,
      usage: { prompt_tokens: 4, total_tokens: 4 },
    })
  })

  it('keeps the order of many inputs of any kind', async () => {
    const image = { type: 'image_url', image_url: { url: dataUrl(png(8, 6)) } }
    const audio = { type: 'input_audio', input_audio: { data: wav(1).toString('base64'), format: 'wav' } }
    const response = await embed({ input: ['one', image, audio, { type: 'text', text: 'one' }] })
    expect(response.statusCode).toBe(200)
    expect(response.json().data.map((each: { modality: string }) => each.modality)).toEqual([
      'text',
      'image',
      'audio',
      'text',
    ])
    const [first, , , last] = vectorsOf(response)
    expect(first).toEqual(last)
    expect(h.encoder.seen.find((input) => input.modality === 'image')).toMatchObject({ width: 8, height: 6 })
  })

  it('gives base64 of little-endian float32', async () => {
    const [floats] = vectorsOf(await embed({ input: 'a dog' }))
    const base64 = (await embed({ input: 'a dog', encoding_format: 'base64' })).json().data[0].embedding
    const bytes = Buffer.from(base64, 'base64')
    expect(Array.from({ length: DIM }, (_, i) => bytes.readFloatLE(i * 4))).toEqual(floats)
  })

  it('says when a text was cut', async () => {
    const response = await embed({ input: ['word '.repeat(71), 'word '.repeat(70)] })
    expect(response.json().data.map((each: { truncated: boolean }) => each.truncated)).toEqual([true, false])
  })

  it('fuses weighted parts into one unit vector', async () => {
    const [a, b] = vectorsOf(await embed({ input: ['a', 'b'] }))
    const content = [
      { type: 'text', text: 'a', weight: 2 },
      { type: 'text', text: 'b', weight: -0.5 },
    ]
    const response = await embed({ input: { content } })
    const sum = a!.map((value, i) => 2 * value - 0.5 * b![i]!)
    const norm = Math.hypot(...sum)
    vectorsOf(response)[0]!.forEach((value, i) => void expect(value).toBeCloseTo(sum[i]! / norm, 5))
    expect(response.json().data[0].modality).toBe('text')
    const mixed = { content: [content[0], { type: 'image_url', image_url: { url: dataUrl(png(2, 2)) } }] }
    expect((await embed({ input: mixed })).json().data[0].modality).toBe('mixed')
  })

  it('makes one unit vector of a sound over 15 s, the mean of its windows', async () => {
    const audio_url = { url: dataUrl(wav(20), 'audio/wav') }
    const [vector] = vectorsOf(await embed({ input: { type: 'audio_url', audio_url } }))
    expect(h.encoder.seen).toHaveLength(2)
    expect(cosine(vector!, vector!)).toBeCloseTo(1, 5)
  })

  it('takes forms, whose files are what their bytes say', async () => {
    const body = await form([
      ['text', 'a dog'],
      ['file', png(4, 4), 'sound.mp3'],
      ['file', wav(1), 'picture.png'],
      ['encoding_format', 'float'],
      ['dimensions', String(DIM)],
    ])
    const response = await call(h.app, { method: 'POST', url: '/v1/embeddings', ...body })
    expect(response.statusCode).toBe(200)
    expect(response.json().data.map((each: { modality: string }) => each.modality)).toEqual(['text', 'image', 'audio'])
  })

  it.each([
    ['an empty list', { input: [] }, 422, 'unprocessable-content'],
    ['an empty text', { input: '' }, 422, 'unprocessable-content'],
    ['a blank text', { input: ' \n' }, 422, 'unprocessable-content'],
    ['no parts', { input: { content: [] } }, 422, 'unprocessable-content'],
    ['weights of zero', { input: { content: [{ type: 'text', text: 'a', weight: 0 }] } }, 422, 'unprocessable-content'],
    ['other dimensions', { input: 'a', dimensions: DIM + 1 }, 422, 'unsupported-by-model'],
    ['another model', { input: 'a', model: 'other' }, 404, 'not-found'],
    ['too many texts', { input: Array(9).fill('a') }, 413, 'payload-too-large'],
    ['a text too long', { input: 'a'.repeat(100_001) }, 422, 'input-too-long'],
    ['token ids', { input: [1, 2, 3] }, 400, 'invalid-request'],
    ['lists of token ids', { input: [[1, 2, 3]] }, 400, 'invalid-request'],
    ['no input', {}, 400, 'invalid-request'],
    ['null', { input: null }, 400, 'invalid-request'],
    ['a number as string', { input: 'a', dimensions: '16' }, 400, 'invalid-request'],
    ['an unknown field', { input: 'a', inputs: 'b' }, 400, 'invalid-request'],
    ['an unknown part', { input: { type: 'video_url', video_url: { url: '' } } }, 400, 'invalid-request'],
    [
      'a remote address',
      { input: { type: 'image_url', image_url: { url: 'https://example.org/a.png' } } },
      400,
      'invalid-request',
    ],
    ['a file path', { input: { type: 'image_url', image_url: { url: 'file:///etc/passwd' } } }, 400, 'invalid-request'],
    [
      'bad base64',
      { input: { type: 'image_url', image_url: { url: 'data:image/png;base64,@@@@' } } },
      400,
      'invalid-request',
    ],
    [
      'unpadded base64',
      { input: { type: 'input_audio', input_audio: { data: 'AAA', format: 'wav' } } },
      400,
      'invalid-request',
    ],
    [
      'a sound sent as picture',
      { input: { type: 'image_url', image_url: { url: dataUrl(wav(1)) } } },
      422,
      'undecodable-media',
    ],
  ])('refuses %s', async (_, payload, status, code) => {
    const response = await embed(payload)
    expect(response.json()).toMatchObject({ status, code })
    expect(response.statusCode).toBe(status)
  })

  it('refuses more media than text', async () => {
    const image = { type: 'image_url', image_url: { url: dataUrl(png(1, 1)) } }
    expect((await embed({ input: [image, 'a', 'b', 'c', 'd'] })).json().code).toBe('payload-too-large')
  })

  it('points at every finding', async () => {
    const response = await embed({
      input: [{ type: 'text', txt: 'a' }, 'b', { content: [{ type: 'nothing' }] }],
      modle: 'x',
    })
    expect(response.json().errors).toEqual(
      expect.arrayContaining([
        { pointer: '/input/0/text', detail: 'is missing' },
        { pointer: '/input/0/txt', detail: 'is not a known field' },
        { pointer: '/modle', detail: 'is not a known field' },
        expect.objectContaining({ pointer: '/input/2/content/0' }),
      ]),
    )
    expect(response.json().errors).toHaveLength(4)
  })

  it('names the failing input of several', async () => {
    const broken = { type: 'image_url', image_url: { url: dataUrl(png(40, 40).subarray(0, 60)) } }
    expect((await embed({ input: ['a', 'b', broken] })).json()).toMatchObject({ code: 'undecodable-media', index: 2 })
    expect((await embed({ input: [broken] })).json()).not.toHaveProperty('index')
  })

  it('gives up after x-timeout-ms', async () => {
    h.encoder.delayMs = 2000
    const response = await embed({ input: 'a' }, { 'x-timeout-ms': '30' })
    expect(response.statusCode).toBe(504)
    expect(response.json().code).toBe('deadline-exceeded')
    expect((await embed({ input: 'a' }, { 'x-timeout-ms': 'soon' })).json().errors[0].pointer).toBe(
      '/header/x-timeout-ms',
    )
  })

  it('says when to come back if the model is overloaded, and nothing of a defect', async () => {
    h.encoder.failure = overloaded()
    const busy = await embed({ input: 'a' })
    expect(busy.statusCode).toBe(503)
    expect(busy.headers['retry-after']).toBe('7')
    h.encoder.failure = new Error('secret: /etc/shadow')
    const failed = await embed({ input: 'a' })
    expect(failed.statusCode).toBe(500)
    expect(failed.body).not.toContain('secret')
  })
})

describe('POST /v1/similarity', () => {
  it('gives rows for a, columns for b', async () => {
    const payload = { a: ['x', 'y'], b: ['y', 'z', 'x'] }
    const { scores } = (await call(h.app, { method: 'POST', url: '/v1/similarity', payload })).json()
    expect(scores).toHaveLength(2)
    expect(scores[0][2]).toBeCloseTo(1, 5)
    expect(scores[1][0]).toBeCloseTo(1, 5)
    expect(Math.abs(scores[0][0])).toBeLessThan(0.99)
  })

  it('takes forms with files and texts on either side', async () => {
    const body = await form([
      ['a', png(3, 3)],
      ['a', 'x'],
      ['b', 'x'],
    ])
    const { scores } = (await call(h.app, { method: 'POST', url: '/v1/similarity', ...body })).json()
    expect(scores[1][0]).toBeCloseTo(1, 5)
  })

  it('refuses an empty side', async () => {
    const response = await call(h.app, { method: 'POST', url: '/v1/similarity', payload: { a: [], b: ['x'] } })
    expect(response.json().code).toBe('unprocessable-content')
  })
})
