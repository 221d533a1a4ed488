/**
 * Every status that the contract documents, of every operation, is provoked here at least once, and `call` holds each answer to
 * the contract. Which code it bears in which case is told in the tests of the routes.
 */
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { InjectOptions } from 'fastify'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { changeKeys, keyFileOf } from '../../src/auth/key-file.ts'
import { KeyRing } from '../../src/auth/key-ring.ts'
import { newKey, SCOPES } from '../../src/auth/keys.ts'
import { Contract, type Operation } from '../../src/http/openapi.ts'
import { LanceVectorStore } from '../../src/vectors/lancedb.ts'
import { call } from './conforms.ts'
import { form, type Harness, type HarnessOptions, startHarness, wav } from './harness.ts'
import { dataUrl, png } from './pictures.ts'

type Parts = [string, string | Uint8Array][]
interface Example {
  json?: object
  form?: Parts
  /** A body, of JSON or NDJSON as the operation takes, that is understood and refused with a 422. */
  wrong?: object
  /** Headers by which a success other than the first is had. */
  headers?: Record<number, Record<string, string>>
}

const picture = png(40, 20)
const image = { type: 'image_url', image_url: { url: dataUrl(picture) } }

const EXAMPLES: Record<string, Example> = {
  createEmbeddings: {
    json: { input: 'a' },
    form: [
      ['text', 'a'],
      ['file', wav(1)],
    ],
    wrong: { input: ' ' },
  },
  compareContents: {
    json: { a: ['a'], b: ['b'] },
    form: [
      ['a', 'a'],
      ['b', picture],
    ],
    wrong: { a: [' '], b: ['b'] },
  },
  classifyContent: {
    json: { input: image, labels: ['a'] },
    form: [
      ['file', picture],
      ['labels', 'a'],
    ],
    wrong: { input: image, labels: [' '] },
  },
  groundPhrases: {
    json: { image, phrases: ['a'] },
    form: [
      ['file', picture],
      ['phrases', 'a'],
    ],
    wrong: { image, phrases: [' '] },
  },
  askQuestion: {
    json: { input: image, question: 'a' },
    form: [
      ['file', picture],
      ['question', 'a'],
    ],
    wrong: { input: image, question: ' ' },
  },
  segmentPicture: {
    json: { image },
    form: [['file', picture]],
    wrong: { image: { ...image, image_url: { url: dataUrl(picture.subarray(0, 60)) } } },
  },
  createCollection: { json: { name: 'new' }, wrong: { name: 'other' } },
  createItem: { json: { input: 'a' }, form: [['text', 'a']], wrong: { input: ' ' } },
  createItems: { json: { input: 'a' } },
  putItem: { json: { input: 'a' }, form: [['text', 'a']], wrong: { input: ' ' } },
  searchCollection: { json: { query: 'a' }, form: [['text', 'a']], wrong: { query: ' ' } },
  getItemMedia: { headers: { 206: { range: 'bytes=0-3' } } },
}

/** What names something that is not there, where the path names nothing. */
const NOWHERE: Record<string, object> = {
  createEmbeddings: { input: 'a', model: 'none' },
  classifyContent: { input: image, head: 'none' },
  groundPhrases: { image, phrases: ['a'], head: 'none' },
  askQuestion: { input: image, question: 'a', head: 'none' },
  segmentPicture: { image, head: 'none' },
}

const contract = new Contract()
const paths = contract.document.paths as Record<string, Record<string, { responses: object }>>
const statusesOf = ({ path, method }: Operation) =>
  Object.keys(paths[path]![method.toLowerCase()]!.responses).map(Number)
const isGuarded = ({ scope }: Operation) => scope !== undefined

async function start(options: HarnessOptions = {}): Promise<Harness> {
  const harness = await startHarness(options)
  harness.encoder.heads = [
    { name: 'boxes', task: 'grounding', inputs: ['text', 'image'], classes: 4 },
    { name: 'qa', task: 'answering', inputs: ['text', 'image'], classes: 2, labels: ['yes', 'no'] },
    { name: 'ground', task: 'segmentation', inputs: ['image'], classes: 2, labels: ['sky', 'sea'] },
  ]
  harness.encoder.answer = (name) =>
    name === 'ground'
      ? { logits: Float32Array.of(1, 2), dims: [2, 1, 1] }
      : { logits: Float32Array.of(1, 2), dims: [2], boxes: Float32Array.of(0, 0, 1, 1) }
  return harness
}

let h: Harness
const others: Harness[] = []
beforeAll(async () => {
  h = await start()
  await call(h.app, { method: 'POST', url: '/v1/collections', payload: { name: 'c' } })
})
afterEach(() => {
  vi.restoreAllMocks()
  h.encoder.delayMs = 0
})
afterAll(async () => {
  for (const harness of [h, ...others]) await harness.close()
})
const another = async (options: HarnessOptions) => {
  const harness = await start(options)
  others.push(harness)
  return harness
}

function request({ method, path, operationId }: Operation, { collection = 'c', id = 'item' } = {}): InjectOptions {
  const url = path.replace('{collection}', collection).replace('{id}', id)
  const { json } = EXAMPLES[operationId] ?? {}
  return { method: method as 'GET', url, ...(json && body(operationId, json)) }
}

function body(operationId: string, json: object): Pick<InjectOptions, 'payload' | 'headers'> {
  const type = operationId === 'createItems' ? 'application/x-ndjson' : 'application/json'
  return { payload: JSON.stringify(json), headers: { 'content-type': type } }
}

/** Something for the operation to find: a picture, so that it has a thumbnail. */
async function prepare({ operationId, path }: Operation): Promise<void> {
  if (path.includes('{id}'))
    await call(h.app, { method: 'PUT', url: '/v1/collections/c/items/item', payload: { input: image } })
  if (operationId === 'deleteCollection')
    await call(h.app, { method: 'POST', url: '/v1/collections', payload: { name: 'c2' } })
  if (operationId === 'createCollection') await h.app.inject({ method: 'DELETE', url: '/v1/collections/new' })
}

let locked: Promise<{ harness: Harness; bearer: (scopes: readonly string[]) => Record<string, string> }> | undefined
const lockedHarness = () => {
  locked ??= (async () => {
    const harness = await another({})
    const keys = SCOPES.map((scope) => newKey({ tenant: 'default', scopes: [scope] }))
    await changeKeys(keyFileOf(harness.dir), () => keys.map(({ record }) => record))
    const bearer = (scopes: readonly string[]) => {
      const key = keys.find(({ record }) => !scopes.includes(record.scopes[0]!))!
      return { authorization: `Bearer ${key.key}` }
    }
    return { harness, bearer }
  })()
  return locked
}

let limited: Promise<Harness> | undefined
const limitedHarness = () => {
  limited ??= (async () => {
    const harness = await another({ rateLimit: 1 })
    for (let n = 0; n < 10; n++) await harness.app.inject({ url: '/v1/models' })
    return harness
  })()
  return limited
}

const slowly = (ms: number) => async () => {
  await new Promise((resolve) => setTimeout(resolve, ms))
  return false
}
const otherModel = { name: 'c', embedDim: 16, model: 'other', metadata: {}, createdAt: '', itemCount: 0 }

/** Makes a request of the operation that is answered with the status. */
const PROVOKE: Record<number, (operation: Operation) => Promise<{ statusCode: number }>> = {
  200: async (operation) => call(h.app, request(operation)),
  201: async (operation) => call(h.app, request(operation, { id: 'fresh' })),
  204: async (operation) =>
    call(h.app, request(operation, operation.operationId === 'deleteCollection' ? { collection: 'c2' } : {})),
  206: async (operation) =>
    call(h.app, { ...request(operation), headers: EXAMPLES[operation.operationId]!.headers![206]! }),
  304: async (operation) => {
    const { headers } = await call(h.app, request(operation))
    return call(h.app, { ...request(operation), headers: { 'if-none-match': String(headers.etag) } })
  },
  400: async (operation) => {
    const valid = request(operation)
    return call(h.app, { ...valid, url: `${valid.url}?nope=1` })
  },
  401: async (operation) => call((await lockedHarness()).harness.app, request(operation)),
  403: async (operation) => {
    if (!isGuarded(operation)) return call(h.app, { ...request(operation), headers: { host: 'evil.test' } })
    const { harness, bearer } = await lockedHarness()
    const valid = request(operation)
    return call(harness.app, { ...valid, headers: { ...valid.headers, ...bearer([operation.scope!]) } })
  },
  404: async (operation) => {
    const { operationId, path } = operation
    if (path.includes('{id}') && operationId !== 'putItem') return call(h.app, request(operation, { id: 'none' }))
    if (path.includes('{collection}')) return call(h.app, request(operation, { collection: 'none' }))
    return call(h.app, { ...request(operation), ...body(operationId, NOWHERE[operationId]!) })
  },
  405: async (operation) => h.app.inject({ method: 'PATCH', url: String(request(operation).url) }),
  409: async (operation) => {
    if (operation.operationId === 'createCollection')
      return call(h.app, { ...request(operation), ...body('createCollection', { name: 'c' }) })
    vi.spyOn(LanceVectorStore.prototype, 'describeCollection').mockResolvedValue(otherModel)
    return call(h.app, request(operation))
  },
  413: async (operation) => {
    const small = await another({ limits: { maxRequestBytes: 2000 } })
    const { json } = EXAMPLES[operation.operationId]!
    const payload = JSON.stringify(json) + ' '.repeat(3000)
    return call(small.app, { ...request(operation), payload })
  },
  415: async (operation) =>
    call(h.app, { ...request(operation), payload: 'a', headers: { 'content-type': 'text/plain' } }),
  416: async (operation) => call(h.app, { ...request(operation), headers: { range: 'bytes=99999-' } }),
  422: async (operation) => {
    const { operationId } = operation
    if (operationId === 'getItemThumbnail') return damagedThumbnail()
    const headers = { 'content-type': 'application/json', 'idempotency-key': `of-${operationId}` }
    // The one way in which making a collection is a 422.
    if (operationId === 'createCollection') await call(h.app, { ...request(operation), headers })
    return call(h.app, { ...request(operation), payload: JSON.stringify(EXAMPLES[operationId]!.wrong), headers })
  },
  429: async (operation) => call((await limitedHarness()).app, request(operation)),
  500: async (operation) => {
    vi.spyOn(KeyRing.prototype, 'hasKeys').mockRejectedValue(new Error('a defect'))
    return call(h.app, request(operation))
  },
  503: async (operation) => {
    if (isGuarded(operation))
      return call((await another({ admission: { maxRequests: 0, maxBytes: 1 } })).app, request(operation))
    h.encoder.notReady = new Error('not yet')
    const response = await call(h.app, request(operation))
    h.encoder.notReady = undefined
    return response
  },
  504: async (operation) => {
    vi.spyOn(KeyRing.prototype, 'hasKeys').mockImplementation(slowly(30))
    const valid = request(operation)
    return call(h.app, { ...valid, headers: { ...valid.headers, 'x-timeout-ms': '1' } })
  },
}

async function damagedThumbnail() {
  const url = '/v1/collections/c/items/damaged'
  const { sha256 } = (
    await call(h.app, { method: 'PUT', url, payload: { input: { ...image, image_url: { url: dataUrl(png(9, 9)) } } } })
  ).json()
  const blobs = join(h.dir, 'blobs')
  const file = (await readdir(blobs, { recursive: true })).find((name) => name.endsWith(sha256))!
  await writeFile(join(blobs, file), 'no picture any more')
  return call(h.app, { url: `${url}/thumbnail` })
}

const guarded = contract.operations.filter(isGuarded)

describe.each(guarded.map((operation) => [operation.operationId, operation] as const))('%s', (_, operation) => {
  it.each(statusesOf(operation))('is answered with %i where the contract says so', async (status) => {
    await prepare(operation)
    expect((await PROVOKE[status]!(operation)).statusCode).toBe(status)
  })

  const { form: parts } = EXAMPLES[operation.operationId] ?? {}
  it.runIf(parts)('takes a form as well', async () => {
    const { payload, headers } = await form(parts!)
    const response = await call(h.app, { ...request(operation), payload, headers })
    expect([200, 201]).toContain(response.statusCode)
  })
})

describe.each(contract.operations.filter((each) => !isGuarded(each)).map((each) => [each.operationId, each] as const))(
  '%s',
  (_, operation) => {
    it.each(statusesOf(operation).filter((status) => status !== 500))(
      'is answered with %i where the contract says so',
      async (status) => {
        expect((await PROVOKE[status]!(operation)).statusCode).toBe(status)
      },
    )
  },
)

it('has an example of every body, in every form that the contract takes', () => {
  for (const { operationId, path, method } of contract.operations) {
    const { requestBody } = paths[path]![method.toLowerCase()] as { requestBody?: { content: object } }
    const kinds = Object.keys(requestBody?.content ?? {})
    const { json, form: parts } = EXAMPLES[operationId] ?? {}
    expect([operationId, json !== undefined]).toEqual([operationId, kinds.some((kind) => kind.includes('json'))])
    expect([operationId, parts !== undefined]).toEqual([operationId, kinds.includes('multipart/form-data')])
  }
})
