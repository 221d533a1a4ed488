/** OpenAI's own client for JavaScript gets embeddings by changing nothing but its base URL. Python's: sdk/python/tests. */
import OpenAI from 'openai'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type LiveServer, startServer } from '../live-server.ts'

let server: LiveServer
let client: OpenAI

beforeAll(async () => {
  server = await startServer()
  client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'none is asked for', maxRetries: 0 })
})
afterAll(() => server?.stop())

/** What the service answers to a plain request, as numbers. */
async function plain(input: string[]): Promise<number[][]> {
  const headers = { 'content-type': 'application/json' }
  const response = await fetch(`${server.url}/v1/embeddings`, {
    method: 'POST',
    headers,
    body: JSON.stringify({ input }),
  })
  const { data } = (await response.json()) as { data: { embedding: number[] }[] }
  return data.map(({ embedding }) => embedding)
}

it('gives the vectors of a list, by default (base64 on the wire) and as floats', async () => {
  const input = ['a dog', 'a cat']
  const [model] = (await client.models.list()).data
  const expected = await plain(input)
  const byDefault = await client.embeddings.create({ model: model!.id, input })
  expect(byDefault).toMatchObject({ object: 'list', model: model!.id, usage: { prompt_tokens: expect.any(Number) } })
  const asFloats = await client.embeddings.create({ model: model!.id, input, encoding_format: 'float', user: 'ada' })
  for (const { data } of [byDefault, asFloats]) {
    expect(data.map(({ index }) => index)).toEqual([0, 1])
    for (const [i, { embedding }] of data.entries()) {
      expect(embedding).toHaveLength(expected[i]!.length)
      for (const [k, value] of Array.from(embedding).entries()) expect(value).toBeCloseTo(expected[i]![k]!, 6)
    }
  }
})

it('takes one string, and the number of dimensions that the model has', async () => {
  const [expected] = await plain(['a dog'])
  const create = (dimensions: number) =>
    client.embeddings.create({ model: 'onepeace-nano', input: 'a dog', dimensions })
  expect((await create(expected!.length)).data[0]!.embedding).toHaveLength(expected!.length)
  await expect(create(7)).rejects.toMatchObject({ status: 422, code: 'unsupported-by-model' })
})

it('tells problems as errors of theirs, with our code', async () => {
  const failed = client.embeddings.create({ model: 'text-embedding-3-small', input: 'a dog' })
  await expect(failed).rejects.toBeInstanceOf(OpenAI.NotFoundError)
  await expect(failed).rejects.toMatchObject({
    code: 'not-found',
    message: expect.stringMatching(/^404 .*'text-embedding-3-small'/),
    requestID: expect.any(String),
  })
})
