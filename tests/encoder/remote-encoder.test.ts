/** The committed bundle behind the encoder protocol, against the same bundle in this process (built by `npm test`). */
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Bundle, bundleHash, openBundle } from '../../src/bundle/open.ts'
import type { Encoder, EncoderInput, HeadInputs, HeadOutput } from '../../src/encoder/encoder.ts'
import { openLocalEncoder } from '../../src/encoder/local-encoder.ts'
import { EncoderServer } from '../../src/encoder/remote/encoder-server.ts'
import { openRemoteEncoder } from '../../src/encoder/remote/remote-encoder.ts'

const SECRET = 'a-secret-of-the-tests'
let bundle: Bundle
let local: Encoder
let remote: Encoder
let server: EncoderServer

beforeAll(async () => {
  bundle = await openBundle(fileURLToPath(new URL('../../models/onepeace-nano', import.meta.url)))
  const { dir, manifest } = bundle
  local = openLocalEncoder(dir, manifest, { maxWaitMs: 0 })
  const model = { name: manifest.name, sha256: bundleHash(manifest) }
  server = new EncoderServer({ encoder: local, model, secret: SECRET, maxBodyBytes: 1 << 28 })
  const { port } = await server.listen(0, '127.0.0.1')
  remote = openRemoteEncoder(manifest, model.sha256, { urls: [`http://127.0.0.1:${port}`], secret: SECRET })
  await local.ready()
  await remote.ready()
})
afterAll(async () => {
  await remote.close()
  await server.close()
  await local.close()
})

const noise = (seed: number) => (_: unknown, i: number) => Math.sin(seed + i * i)
const text = (tokens: number): EncoderInput => ({
  modality: 'text',
  tokenIds: [...Array.from({ length: tokens - 1 }, (_, i) => 4 + ((i * 37) % 900)), 2],
})
const image = (width: number, height: number): EncoderInput => ({
  modality: 'image',
  width,
  height,
  data: Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * i) % 251),
})
const audio = (samples: number): EncoderInput => ({
  modality: 'audio',
  waveform: Float32Array.from({ length: samples }, noise(1)),
})

/** Made anew for each use: a local encoder takes the buffers away. */
const MAKERS: Record<string, () => EncoderInput> = {
  'a text': () => text(9),
  'the longest text': () => text(71),
  'a picture': () => image(640, 480),
  'a picture of one pixel': () => image(1, 1),
  'a picture that travels alone': () => image(1500, 1001),
  'a sound': () => audio(16_001),
  'a long sound': () => audio(240_000),
}

it.each(Object.entries(MAKERS))('gives %s the same embedding as the local encoder, bit for bit', async (_, make) => {
  const here = await local.encode(make())
  const there = await remote.encode(make())
  expect(here).toHaveLength(bundle.manifest.embedDim)
  expect(Buffer.from(there.buffer).equals(Buffer.from(here.buffer))).toBe(true)
})

const SAMPLES: Record<string, () => HeadInputs> = {
  'picture-class': () => ({ image: image(60, 50) }) as HeadInputs,
  segmentation: () => ({ image: image(60, 50) }) as HeadInputs,
  'sound-class': () => ({ audio: audio(20_000) }) as HeadInputs,
}

it.each(Object.entries(SAMPLES))('gives the output of the head %s bit for bit, in its shape', async (name, make) => {
  const here = await local.runHead(name, make())
  expect(await remote.runHead(name, make())).toEqual<HeadOutput>(here)
})

it('has the properties of the bundle', () => {
  const { embedDim, modalities, heads } = local
  expect(remote).toMatchObject({ embedDim, modalities, heads })
})

it('gives each of many inputs at once its own embedding', async () => {
  const lengths = Array.from({ length: 150 }, (_, i) => 3 + (i % 60))
  const together = await Promise.all(lengths.map((tokens) => remote.encode(text(tokens))))
  for (const tokens of [3, 40, 62]) {
    const alone = await local.encode(text(tokens))
    const found = together[lengths.indexOf(tokens)]!
    expect(Math.max(...found.map((value, i) => Math.abs(value - alone[i]!)))).toBeLessThan(1e-5)
  }
})

it('keeps the inputs it was given, so that they can be sent again', async () => {
  const picture = image(30, 20) as EncoderInput & { modality: 'image' }
  await remote.encode(picture)
  expect(picture.data).toHaveLength(30 * 20 * 3)
})

it('fails one bad input alone, with what the model said of it', async () => {
  const bad = audio(16_000) as EncoderInput & { modality: 'audio' }
  bad.waveform[5] = Number.NaN
  const results = await Promise.allSettled([audio(16_000), bad, audio(16_000)].map((one) => remote.encode(one)))
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  expect(results[1]).toMatchObject({ reason: { message: expect.stringContaining('not finite') } })
})

it('refuses what the model cannot take before it is sent', async () => {
  await expect(remote.encode(text(90))).rejects.toMatchObject({ code: 'input-too-long' })
  await expect(remote.runHead('none', {})).rejects.toMatchObject({ code: 'not-found' })
})
