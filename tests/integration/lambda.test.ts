/**
 * `onepeace serve` and `onepeace encoder` as Lambda functions: the processes themselves, on a runtime interface that is fake, with
 * events in the shape in which API Gateway (payload format 2.0) and function URLs send them.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bundleHash, openBundle } from '../../src/bundle/open.ts'
import { CONTENT_TYPE, decodeAnswer, encodeRequest } from '../../src/encoder/remote/wire.ts'
import type { HttpEvent, HttpResult } from '../../src/lambda/http-event.ts'
import { png } from '../api/pictures.ts'
import { PROGRAM } from '../command-line.ts'
import { type FakeRuntime, startRuntime } from '../lambda-runtime.ts'

const NANO = fileURLToPath(new URL('../../models/onepeace-nano', import.meta.url))
const SECRET = 'a-secret-of-the-tests'

const eventFile = async (name: string): Promise<HttpEvent> =>
  JSON.parse(await readFile(new URL(`./lambda-events/${name}.json`, import.meta.url), 'utf8'))

interface Change {
  method?: string
  path?: string
  query?: string
  headers?: Record<string, string>
  body?: string | Buffer
}

/** A recorded event with another request in it; a body that is no text as base64, as API Gateway sends it. */
async function eventOf(name: 'http-api' | 'function-url', change: Change): Promise<HttpEvent> {
  const event = await eventFile(name)
  const { method = 'GET', path = event.rawPath, query = '', headers = {}, body } = change
  const http = { ...event.requestContext.http, method, path }
  return {
    ...event,
    rawPath: path,
    rawQueryString: query,
    headers: { ...event.headers, ...headers },
    requestContext: { ...event.requestContext, http },
    ...(body !== undefined && { body: body.toString(typeof body === 'string' ? undefined : 'base64') }),
    isBase64Encoded: body !== undefined && typeof body !== 'string',
  }
}

interface Function {
  runtime: FakeRuntime
  child: ChildProcess
  invoke(name: 'http-api', change: Change, leftMs?: number): Promise<HttpResult>
  stop(): Promise<void>
}

let dir: string
async function startFunction(args: string[], env: NodeJS.ProcessEnv): Promise<Function> {
  const runtime = await startRuntime()
  const child = spawn(process.execPath, [PROGRAM, ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, AWS_LAMBDA_RUNTIME_API: runtime.api, ...env },
  })
  return {
    runtime,
    child,
    invoke: async (name, change, leftMs) => {
      const { kind, body } = await runtime.invoke(await eventOf(name, change), leftMs)
      expect(kind).toBe('response')
      return JSON.parse(body.toString())
    },
    stop: async () => {
      child.kill('SIGTERM')
      await once(child, 'exit')
      await runtime.close()
    },
  }
}

const json = (method: string, path: string, body: object): Change => ({
  method,
  path,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
})

/** A form as bytes. */
async function formOf(parts: [string, string | Blob][]): Promise<Pick<Change, 'headers' | 'body'>> {
  const form = new FormData()
  for (const [name, value] of parts) form.append(name, value)
  const response = new Response(form)
  const headers = { 'content-type': response.headers.get('content-type')! }
  return { headers, body: Buffer.from(await response.arrayBuffer()) }
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'onepeace-lambda-'))
})
afterAll(() => rm(dir, { recursive: true, force: true }))

describe('the service', () => {
  const picture = png(60, 40)
  let api: Function
  beforeAll(async () => {
    api = await startFunction(['serve', '--data', join(dir, 'data'), '--no-auth'], { ONEPEACE_LOG_LEVEL: 'silent' })
    await api.invoke('http-api', json('POST', '/v1/collections', { name: 'c' }))
  })
  afterAll(() => api?.stop())

  it('answers JSON as text, with the id of the invocation', async () => {
    const answer = await api.invoke('http-api', {})
    expect(answer).toMatchObject({
      statusCode: 200,
      isBase64Encoded: false,
      headers: {
        'content-type': expect.stringContaining('application/json'),
        'x-request-id': expect.stringMatching(/^8476a536-/),
      },
    })
    expect(JSON.parse(answer.body)).toMatchObject({ data: [{ id: 'onepeace-nano' }] })
    expect(answer.headers).not.toHaveProperty('transfer-encoding')
  })

  it('takes a picture as a form in base64, and gives the original back in base64', async () => {
    const form = await formOf([
      ['file', new Blob([Uint8Array.from(picture)])],
      ['id', 'p'],
      ['metadata', '{"a": "1,2"}'],
    ])
    const stored = await api.invoke('http-api', { method: 'POST', path: '/v1/collections/c/items', ...form })
    expect([stored.statusCode, stored.body]).toEqual([201, expect.stringContaining('"modality":"image"')])
    const original = await api.invoke('http-api', { path: '/v1/collections/c/items/p/media' })
    expect(original).toMatchObject({ statusCode: 200, isBase64Encoded: true, headers: { 'content-type': 'image/png' } })
    expect(Buffer.from(original.body, 'base64')).toEqual(picture)
    const range = { path: '/v1/collections/c/items/p/media', headers: { range: 'bytes=0-3' } }
    expect(await api.invoke('http-api', range)).toMatchObject({
      statusCode: 206,
      body: picture.subarray(0, 4).toString('base64'),
    })
  })

  it('leaves a query as it was sent, commas and all', async () => {
    const filter = JSON.stringify({ must: [{ key: 'a', match: { value: '1,2' } }] })
    const query = `limit=5&filter=${encodeURIComponent(filter)}`
    const answer = await api.invoke('http-api', { path: '/v1/collections/c/items', query })
    expect(JSON.parse(answer.body)).toMatchObject({ items: [{ id: 'p' }] })
  })

  it('asks callers for keys as on an open address, and believes none of them that it is loopback', async () => {
    const refused = await startFunction(['serve', '--data', join(dir, 'other')], {})
    const [said, [code]] = await Promise.all([text(refused.child.stderr!), once(refused.child, 'exit')])
    expect([code, said]).toEqual([1, expect.stringContaining('without a key')])
    await refused.runtime.close()
    const spoofed = { headers: { 'x-forwarded-for': '127.0.0.1', host: 'evil.example' } }
    expect(await api.invoke('http-api', spoofed)).toMatchObject({ statusCode: 200 })
  })

  it('gives a request no more time than the function has', async () => {
    const texts = { input: Array.from({ length: 2000 }, (_, i) => `text number ${i} of many, each of them new`) }
    const answer = await api.invoke('http-api', json('POST', '/v1/embeddings', texts), 700)
    expect(answer.statusCode).toBe(504)
    expect(JSON.parse(answer.body)).toMatchObject({ code: 'deadline-exceeded' })
  })

  it('tells plainly of an answer that is larger than API Gateway passes on', async () => {
    const texts = { input: Array.from({ length: 2048 }, (_, i) => `${i}`) }
    const answer = await api.invoke('http-api', json('POST', '/v1/embeddings', texts))
    expect(answer.statusCode).toBe(413)
    expect(JSON.parse(answer.body)).toMatchObject({
      code: 'payload-too-large',
      detail: expect.stringContaining('streaming address'),
    })
  })

  it('refuses an event that is no request, and goes on', async () => {
    const refused = await api.runtime.invoke({ Records: [{ eventSource: 'aws:s3' }] })
    expect([refused.kind, JSON.parse(refused.body.toString()).errorType]).toEqual(['error', 'UnsupportedEvent'])
    const garbled = await api.runtime.invoke(await eventOf('http-api', { headers: { 'x-name': 'a\nb' } }))
    expect(garbled.kind).toBe('error')
    expect(await api.invoke('http-api', { path: '/livez' })).toMatchObject({ statusCode: 200 })
  })

  it('streams to a function URL: head, eight zero bytes, then each line as it comes', async () => {
    const lines = Array.from({ length: 3 }, (_, i) => JSON.stringify({ input: `line ${i}` })).join('\n')
    const headers = { 'content-type': 'application/x-ndjson' }
    const event = await eventOf('function-url', {
      method: 'POST',
      path: '/v1/collections/c/items/batch',
      headers,
      body: lines,
    })
    const answer = await api.runtime.invoke(event)
    expect(answer.headers).toMatchObject({
      'lambda-runtime-function-response-mode': 'streaming',
      'content-type': 'application/vnd.awslambda.http-integration-response',
      'transfer-encoding': 'chunked',
    })
    const end = answer.body.indexOf(Buffer.alloc(8))
    expect(JSON.parse(answer.body.subarray(0, end).toString())).toMatchObject({
      statusCode: 200,
      headers: { 'content-type': 'application/x-ndjson' },
    })
    const told = answer.body
      .subarray(end + 8)
      .toString()
      .trim()
      .split('\n')
    expect(told.map((line) => JSON.parse(line).status)).toEqual([201, 201, 201])
    expect(answer.parts.length).toBeGreaterThan(2)
  })
})

describe('the encoder', () => {
  let encoder: Function
  beforeAll(async () => {
    encoder = await startFunction(['encoder'], { ENCODER_SECRET: SECRET })
  })
  afterAll(() => encoder?.stop())

  it('answers tensors with tensors, to who knows the secret beside a signature', async () => {
    const { manifest } = await openBundle(NANO)
    const samples = [{ inputs: { text: { modality: 'text' as const, tokenIds: [5, 2] } } }]
    const body = encodeRequest({ model: bundleHash(manifest), samples })
    const run = async (headers: Record<string, string>) => {
      const change = { method: 'POST', path: '/v1/run', headers: { 'content-type': CONTENT_TYPE, ...headers }, body }
      const answer = await encoder.runtime.invoke(await eventOf('function-url', change))
      const end = answer.body.indexOf(Buffer.alloc(8))
      const { statusCode } = JSON.parse(answer.body.subarray(0, end).toString())
      return { statusCode, tensors: answer.body.subarray(end + 8) }
    }
    expect((await run({ authorization: 'AWS4-HMAC-SHA256 Credential=another' })).statusCode).toBe(401)
    const { statusCode, tensors } = await run({
      authorization: 'AWS4-HMAC-SHA256 Credential=ours',
      'x-encoder-secret': SECRET,
    })
    expect(statusCode).toBe(200)
    const [outcome] = decodeAnswer(new Uint8Array(tensors), 1)
    expect(outcome).toMatchObject({ status: 'fulfilled' })
    expect((outcome as PromiseFulfilledResult<Float32Array>).value).toHaveLength(manifest.embedDim)
  })
})
