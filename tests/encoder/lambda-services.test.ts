/** Encoder services that are Lambda functions: signed, not asked for their health, given small requests. The function is fake. */
import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, it, vi } from 'vitest'
import { bundleHash, openBundle } from '../../src/bundle/open.ts'
import type { EncoderInput, ImageInput } from '../../src/encoder/encoder.ts'
import { openLocalEncoder } from '../../src/encoder/local-encoder.ts'
import { PictureResizer } from '../../src/encoder/picture-resizer.ts'
import { signerOf } from '../../src/encoder/remote/lambda-signer.ts'
import { type Reach, reachOf } from '../../src/encoder/remote/reach.ts'
import { openRemoteEncoder } from '../../src/encoder/remote/remote-encoder.ts'
import { decodeRequest, encodeAnswer } from '../../src/encoder/remote/wire.ts'

const NANO = fileURLToPath(new URL('../../models/onepeace-nano', import.meta.url))
const SECRET = 'a-secret-of-the-tests'
const FUNCTION = 'abc123.lambda-url.eu-central-1.on.aws'

const cleanups: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
  vi.unstubAllEnvs()
})

interface Seen {
  path: string
  headers: IncomingMessage['headers']
  bytes: number
  inputs: EncoderInput[]
}

/** Answers each input with its number of pixels or first token. */
async function fakeFunction(status = 200): Promise<{ url: string; seen: Seen[] }> {
  const seen: Seen[] = []
  const server = createServer(async (request, response) => {
    const body = await buffer(request)
    const inputs =
      body.length > 0 ? decodeRequest(new Uint8Array(body)).samples.flatMap((one) => Object.values(one.inputs)) : []
    seen.push({ path: request.url!, headers: request.headers, bytes: body.length, inputs: inputs as EncoderInput[] })
    if (status !== 200) return response.writeHead(status).end('{"Reason":"ConcurrentInvocationLimitExceeded"}')
    const resultOf = (input: EncoderInput) => (input.modality === 'image' ? input.data.length : 0)
    const outcomes = inputs.map((input) => ({
      status: 'fulfilled' as const,
      value: Float32Array.of(resultOf(input as EncoderInput)),
    }))
    response.end(encodeAnswer(outcomes))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  cleanups.push(() => new Promise((resolve) => server.close(resolve)))
  return { url: `http://127.0.0.1:${(server.address() as { port: number }).port}`, seen }
}

/** Of a Lambda function, but for where it is and how much it takes. */
const reach: Reach = {
  ...reachOf(`https://${FUNCTION}`),
  maxRequestBytes: 100_000,
  sign: async ({ headers }) => ({ ...headers, authorization: 'a signature' }),
}

async function clientOf(url: string) {
  const { dir, manifest } = await openBundle(NANO)
  const resizer = new PictureResizer(dir, manifest)
  const options = { urls: [url], secret: SECRET, reach, resizer, probeEveryMs: 10, patienceMs: 100 }
  const client = openRemoteEncoder(manifest, bundleHash(manifest), options)
  cleanups.push(() => client.close())
  return { client, manifest }
}

const picture = (width: number, height: number): ImageInput => ({
  modality: 'image',
  width,
  height,
  data: Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * 7919) % 256),
})

it('knows the URL of a Lambda function, and takes any other address for a process', () => {
  expect(reachOf(`https://${FUNCTION}/`)).toMatchObject({ isProbed: false, sign: expect.any(Function) })
  for (const url of ['http://10.0.0.5:8081', 'https://encoder.example', `https://${FUNCTION}.example`]) {
    expect(reachOf(url), url).toMatchObject({ isProbed: true, maxRequestBytes: Number.POSITIVE_INFINITY })
  }
})

it('signs a request for the function in its region, with the credentials of the environment, body included', async () => {
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIDEXAMPLE')
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'example')
  vi.stubEnv('AWS_SESSION_TOKEN', 'session')
  const body = new Uint8Array([1, 2, 3])
  const request = { method: 'POST', path: '/v1/run', headers: { 'x-encoder-secret': SECRET }, body } as const
  const headers = await signerOf(FUNCTION, 'eu-central-1')(request)
  expect(headers.authorization).toMatch(
    /^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/\d{8}\/eu-central-1\/lambda\/aws4_request, SignedHeaders=[a-z0-9;-]*x-encoder-secret/,
  )
  expect(headers).toMatchObject({
    host: FUNCTION,
    'x-encoder-secret': SECRET,
    'x-amz-security-token': 'session',
    'x-amz-content-sha256': createHash('sha256').update(body).digest('hex'),
  })
})

it('bears the secret beside the signature, and never asks for its health', async () => {
  const { url, seen } = await fakeFunction()
  const { client } = await clientOf(url)
  await client.ready()
  await client.encode(picture(8, 8))
  await new Promise((resolve) => setTimeout(resolve, 50)) // some probes' time
  expect(seen.map(({ path }) => path)).toEqual(['/v1/run'])
  expect(seen[0]!.headers).toMatchObject({ authorization: 'a signature', 'x-encoder-secret': SECRET })
})

it('splits what waits into requests that it takes', async () => {
  const { url, seen } = await fakeFunction()
  const { client } = await clientOf(url)
  const side = 150 // 67,500 bytes
  const encodings = Array.from({ length: 20 }, () => client.encode(picture(side, side)))
  for (const encoding of encodings) expect(await encoding).toEqual(Float32Array.of(side * side * 3))
  expect(Math.max(...seen.map(({ bytes }) => bytes))).toBeLessThan(100_000)
})

it('resizes a picture that it would not take, which changes nothing in its embedding', async () => {
  const { url, seen } = await fakeFunction()
  const { client, manifest } = await clientOf(url)
  const side = manifest.image!.sizePx
  expect(await client.encode(picture(301, 200))).toEqual(Float32Array.of(side * side * 3))
  const [resized] = seen[0]!.inputs as ImageInput[]
  const local = openLocalEncoder(NANO, manifest)
  cleanups.push(() => local.close())
  const whole = await local.encode(picture(301, 200))
  expect(await local.encode({ ...resized!, data: resized!.data.slice() })).toEqual(whole)
})

it('is told to come back where the function already runs as often as it may', async () => {
  const { url } = await fakeFunction(429)
  const { client } = await clientOf(url)
  await expect(client.encode(picture(8, 8))).rejects.toMatchObject({ code: 'overloaded', retryAfterS: 1 })
})
