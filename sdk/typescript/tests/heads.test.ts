/** The verbs that need a model with heads, against a service with a tiny random one. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type LiveServer, startServer } from '../../../tests/live-server.ts'
import { samplePicture, sampleSound } from '../../../tests/sample-media.ts'
import { writeTinyBundle } from '../../../tests/tiny-bundle.ts'
import { OnepeaceClient } from '../src/index.ts'

let server: LiveServer
let client: OnepeaceClient
let dir: string

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'onepeace-heads-'))
  server = await startServer(['--model', await writeTinyBundle(dir)])
  client = new OnepeaceClient({ url: server.url })
})
afterAll(async () => {
  await server?.stop()
  await rm(dir, { recursive: true, force: true })
})

it('grounds phrases in a picture given as bytes and as a part, alike', async () => {
  const picture = await samplePicture('dog')
  const { image, results, head } = await client.ground(picture, ['a dog', 'its nose'], { head: 'grounding' })
  expect({ image, head }).toEqual({ image: { width: 128, height: 128 }, head: 'grounding' })
  expect(results.map(({ phrase }) => phrase)).toEqual(['a dog', 'its nose'])
  const url = `data:image/png;base64,${picture.toString('base64')}`
  const part = await client.ground({ type: 'image_url', image_url: { url } }, ['a dog', 'its nose'])
  expect(part.results.map(({ box }) => box)).toEqual(results.map(({ box }) => box))
})

it('asks of a sound which of some answers is right', async () => {
  const { answers } = await client.ask(sampleSound('rain'), 'What is heard?', { candidates: ['rain', 'a dog'] })
  expect(answers.map(({ answer }) => answer).sort()).toEqual(['a dog', 'rain'])
  expect(answers[0]!.score + answers[1]!.score).toBeCloseTo(1, 5)
})

it('searches with boxes in the pictures that are found', async () => {
  await client.collections.create('mine')
  await client.items.add('mine', await samplePicture('dog'))
  const { hits } = await client.search('mine', await samplePicture('pizza'), { ground: 'a dog' })
  expect(hits[0]!.grounding).toMatchObject({ phrase: 'a dog', box: { x1: expect.any(Number) } })
})
