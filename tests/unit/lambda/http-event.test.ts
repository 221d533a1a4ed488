import { expect, it } from 'vitest'
import {
  type HttpEvent,
  headOf,
  isFromFunctionUrl,
  isHttpEvent,
  requestOf,
  resultOf,
} from '../../../src/lambda/http-event.ts'

const event = (changes: Partial<HttpEvent> = {}): HttpEvent => ({
  version: '2.0',
  rawPath: '/v1/models',
  rawQueryString: '',
  headers: {},
  isBase64Encoded: false,
  requestContext: {
    domainName: 'a.execute-api.eu-central-1.amazonaws.com',
    http: { method: 'GET', sourceIp: '203.0.113.7' },
  },
  ...changes,
})
const request = { id: 'an-id', path: '/v1/models' }

it('knows an event of HTTP from others, and a function URL from an HTTP API', () => {
  expect(isHttpEvent(event())).toBe(true)
  for (const other of [undefined, null, {}, { Records: [] }, { version: '1.0', path: '/' }])
    expect(isHttpEvent(other)).toBe(false)
  const domain = (domainName: string) => event({ requestContext: { ...event().requestContext, domainName } })
  expect(isFromFunctionUrl(domain('abc.lambda-url.eu-central-1.on.aws'))).toBe(true)
  expect(isFromFunctionUrl(event())).toBe(false)
  expect(isFromFunctionUrl(domain('api.example'))).toBe(false)
})

it('bounds the time of a request by that of the function, and by what the contract takes', () => {
  const timeOf = (leftMs: number, headers = {}) => requestOf(event({ headers }), leftMs, 'id').headers['x-timeout-ms']
  expect(timeOf(29_000)).toBe('28500')
  expect(timeOf(29_000, { 'x-timeout-ms': '1000' })).toBe('1000')
  expect(timeOf(29_000, { 'X-Timeout-Ms': '60000' })).toBe('28500')
  expect(timeOf(900_000)).toBe('600000')
  expect(timeOf(100)).toBe('1')
  expect(timeOf(29_000, { 'x-timeout-ms': 'soon' })).toBe('soon') // the service's to refuse
})

it('says who calls as AWS saw it, and keeps to itself what belongs to one connection', () => {
  const headers = { 'x-forwarded-for': '127.0.0.1', connection: 'close', 'transfer-encoding': 'chunked', accept: '*/*' }
  const { headers: told } = requestOf(event({ headers, cookies: ['a=1', 'b=2'], body: 'abc' }), 1000, 'id')
  expect(told).toEqual({
    accept: '*/*',
    cookie: 'a=1; b=2',
    'content-length': '3',
    'x-forwarded-for': '203.0.113.7',
    'x-request-id': 'id',
    'x-timeout-ms': '500',
  })
  expect(requestOf(event({ headers: { 'x-request-id': 'mine' } }), 1000, 'id').headers['x-request-id']).toBe('mine')
})

it('takes path and query as they came, and a body from base64', () => {
  const asked = requestOf(event({ rawQueryString: 'a=1%2C2&b=', body: '/w==', isBase64Encoded: true }), 1000, 'id')
  expect([asked.path, [...asked.body]]).toEqual(['/v1/models?a=1%2C2&b=', [255]])
})

it('gives text as text, anything else as base64, and cookies apart', () => {
  const bytes = Buffer.from('{"a": "é"}')
  const of = (type: string, more = {}) => resultOf(200, { 'content-type': type, ...more }, bytes, request)
  for (const type of [
    'application/json',
    'application/problem+json; charset=utf-8',
    'text/html',
    'application/x-ndjson',
  ]) {
    expect(of(type), type).toMatchObject({ isBase64Encoded: false, body: '{"a": "é"}' })
  }
  for (const type of ['image/png', 'application/octet-stream', '']) {
    expect(of(type), type).toMatchObject({ isBase64Encoded: true, body: bytes.toString('base64') })
  }
  expect(of('text/html', { 'content-encoding': 'br' }).isBase64Encoded).toBe(true)
  expect(headOf(200, { 'set-cookie': ['a=1'], connection: 'keep-alive', etag: 'x' })).toEqual({
    statusCode: 200,
    headers: { etag: 'x' },
    cookies: ['a=1'],
  })
})

it('counts an answer as JSON writes it, and tells of one that is larger than Lambda passes on', () => {
  const quotes = Buffer.alloc(3_100_000, '"') // each is written as two
  expect(resultOf(200, { 'content-type': 'text/plain' }, quotes, request)).toMatchObject({ statusCode: 413 })
  const plain = Buffer.alloc(3_100_000, 'a')
  expect(resultOf(200, { 'content-type': 'text/plain' }, plain, request)).toMatchObject({ statusCode: 200 })
  const picture = resultOf(200, { 'content-type': 'image/png' }, Buffer.alloc(4_500_000), request)
  expect(JSON.parse(picture.body)).toMatchObject({
    code: 'payload-too-large',
    request_id: 'an-id',
    instance: '/v1/models',
  })
})
