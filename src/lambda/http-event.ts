/**
 * Events of HTTP, and what answers them. API Gateway (HTTP API, payload format 2.0) and function URLs send the same shape:
 * https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
 *
 * A body travels as text, or as base64 where it is none. An answer to API Gateway is one JSON of 6 MB at most; one to a function
 * URL, which we always make with `InvokeMode: RESPONSE_STREAM`, is a stream: head as JSON, eight zero bytes, the body as it comes.
 */
import type { IncomingHttpHeaders } from 'node:http'
import { HttpProblem, problemOf } from '../http/problems.ts'

export interface HttpEvent {
  version: '2.0'
  rawPath: string
  rawQueryString: string
  /** Names in lower case; values of a header sent twice joined by commas. Cookies are apart. */
  headers: Record<string, string>
  cookies?: string[]
  body?: string
  isBase64Encoded: boolean
  requestContext: { domainName: string; http: { method: string; sourceIp: string } }
}

export interface LocalRequest {
  method: string
  /** Query included. */
  path: string
  headers: Record<string, string>
  body: Buffer
}

/** What API Gateway takes. */
export interface HttpResult {
  statusCode: number
  headers: Record<string, string>
  cookies?: string[]
  body: string
  isBase64Encoded: boolean
}

export function isHttpEvent(event: unknown): event is HttpEvent {
  const { version, rawPath, requestContext } = (event ?? {}) as Partial<HttpEvent>
  return version === '2.0' && typeof rawPath === 'string' && requestContext?.http !== undefined
}

/** Whether the answer may be a stream. */
export function isFromFunctionUrl({ requestContext }: HttpEvent): boolean {
  return /\.lambda-url\.[a-z0-9-]+\.on\.aws$/.test(requestContext.domainName)
}

/** What must be told of before the function's time is over, in ms. */
const TO_ANSWER_MS = 500
/** Longest that a request may ask for (the contract's `x-timeout-ms`). */
const MAX_TIMEOUT_MS = 600_000
/** Of one connection, and so ours to say. */
const HOP_BY_HOP = [
  'connection',
  'keep-alive',
  'transfer-encoding',
  'upgrade',
  'te',
  'trailer',
  'content-length',
  'expect',
]

/**
 * @param leftMs of the function's time; the request's own is bounded by it
 * @param id of the invocation, for requests that bear none
 */
export function requestOf(event: HttpEvent, leftMs: number, id: string): LocalRequest {
  const { rawPath, rawQueryString, cookies, requestContext } = event
  const body = Buffer.from(event.body ?? '', event.isBase64Encoded ? 'base64' : 'utf8')
  const given = Object.entries(event.headers).filter(([name]) => !HOP_BY_HOP.includes(name.toLowerCase()))
  const headers: Record<string, string> = {
    'x-request-id': id,
    ...Object.fromEntries(given.map(([name, value]) => [name.toLowerCase(), value])),
    ...(cookies && { cookie: cookies.join('; ') }),
    // The last of what a client may have sent here is the client itself; API Gateway has seen who that is.
    'x-forwarded-for': requestContext.http.sourceIp,
    'content-length': String(body.length),
  }
  const boundMs = Math.min(MAX_TIMEOUT_MS, Math.max(1, Math.floor(leftMs) - TO_ANSWER_MS))
  const askedMs = headers['x-timeout-ms']
  // What is no number is the service's to refuse.
  if (askedMs === undefined || Number(askedMs) > boundMs) headers['x-timeout-ms'] = String(boundMs)
  const query = rawQueryString === '' ? '' : `?${rawQueryString}`
  return { method: requestContext.http.method, path: rawPath + query, headers, body }
}

/** Headers of an answer as both kinds take them: cookies apart, nothing of the connection. */
export function headOf(statusCode: number, answered: IncomingHttpHeaders) {
  const { 'set-cookie': cookies, ...others } = answered
  const headers = Object.entries(others).flatMap(([name, value]) =>
    value === undefined || HOP_BY_HOP.includes(name) ? [] : [[name, String(value)] as const],
  )
  return { statusCode, headers: Object.fromEntries(headers), ...(cookies && { cookies }) }
}

/** 6 MB of an answer, of which the head and what JSON escapes take some. */
const MAX_RESULT_BYTES = 5_900_000
const TEXT = /^(text\/|application\/(json|x-ndjson|javascript|[\w.-]+\+json)|image\/svg)/

/** An answer in one piece. What is larger than Lambda passes on becomes a problem that says so, where Lambda would say nothing. */
export function resultOf(
  statusCode: number,
  answered: IncomingHttpHeaders,
  body: Buffer,
  request: { id: string; path: string },
): HttpResult {
  const head = headOf(statusCode, answered)
  const isText = TEXT.test(answered['content-type'] ?? '') && answered['content-encoding'] === undefined
  const result = { ...head, body: body.toString(isText ? 'utf8' : 'base64'), isBase64Encoded: !isText }
  const bytes = isText ? Buffer.byteLength(JSON.stringify(result.body)) : result.body.length
  return bytes <= MAX_RESULT_BYTES ? result : tooLarge(body.length, request)
}

function tooLarge(bytes: number, request: { id: string; path: string }): HttpResult {
  const detail = `The answer has ${bytes} bytes, more than this address passes on; ask for a \`range\` of it, or at the streaming address.`
  const { problem } = problemOf(new HttpProblem('payload-too-large', detail), request)
  const headers = {
    'content-type': 'application/problem+json',
    'x-request-id': request.id,
    'server-timing': 'total;dur=0',
  }
  return { statusCode: problem.status, headers, body: JSON.stringify(problem), isBase64Encoded: false }
}
