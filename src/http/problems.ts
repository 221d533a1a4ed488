/**
 * The one registry of problems: error code → status and title of an RFC 9457 `application/problem+json`. Tests hold it
 * equal to the contract's `ProblemCode` and to docs/errors.md.
 */
import { DomainError, type DomainErrorOptions, type ErrorCode } from '../errors.ts'
import type { components } from './contract.d.ts'

export type Problem = components['schemas']['Problem']
export type ProblemCode = components['schemas']['ProblemCode']

export const PROBLEM_TYPE_PREFIX = 'urn:onepeace:problem:'

export interface ProblemKind {
  status: number
  title: string
}

/** The codes of the domain, and the two that only HTTP knows. */
export const PROBLEMS: Readonly<Record<ErrorCode | 'method-not-allowed' | 'range-not-satisfiable', ProblemKind>> = {
  'invalid-request': { status: 400, title: 'The request is not valid' },
  unauthenticated: { status: 401, title: 'A valid key is needed' },
  forbidden: { status: 403, title: 'This is not allowed' },
  'not-found': { status: 404, title: 'There is no such thing' },
  'method-not-allowed': { status: 405, title: 'The path does not take this method' },
  conflict: { status: 409, title: 'The request conflicts with what is there' },
  'payload-too-large': { status: 413, title: 'The request is too large' },
  'unsupported-media-type': { status: 415, title: 'The kind of content is not supported' },
  'range-not-satisfiable': { status: 416, title: 'The range lies outside the content' },
  'undecodable-media': { status: 422, title: 'The picture or sound cannot be decoded' },
  'input-too-long': { status: 422, title: 'The text is too long' },
  'media-too-large': { status: 422, title: 'The picture or sound is too large' },
  'unsupported-by-model': { status: 422, title: 'The model cannot do this' },
  'unprocessable-content': { status: 422, title: 'The content makes no vector' },
  'idempotency-key-reused': { status: 422, title: 'The key belongs to another request' },
  'rate-limited': { status: 429, title: 'Too many requests' },
  internal: { status: 500, title: 'Something went wrong here' },
  overloaded: { status: 503, title: 'Too much work is waiting' },
  'encoder-unavailable': { status: 503, title: 'The model cannot be used now' },
  'encoder-starting': { status: 503, title: 'The model is starting' },
  'vector-store-unavailable': { status: 503, title: 'The store cannot be used now' },
  'queue-unavailable': { status: 503, title: 'The queue cannot be used now' },
  'deadline-exceeded': { status: 504, title: 'The time given was not enough' },
}

/** Where OpenAI's clients call; they tell of an error what its member `error` holds, and nothing else. */
const OPENAI_PATHS: readonly string[] = ['/v1/embeddings', '/v1/models']

/** Seconds a client is asked to wait after a 503 or 429 that does not say. */
const DEFAULT_RETRY_AFTER_S = 1

/** A problem that HTTP itself finds: like a `DomainError`, with the codes of HTTP and headers of its own. */
export class HttpProblem extends Error {
  readonly code: ProblemCode
  readonly errors: DomainErrorOptions['errors']
  readonly headers: Record<string, string>

  constructor(
    code: ProblemCode,
    message: string,
    options: Pick<DomainErrorOptions, 'errors'> & { headers?: Record<string, string> } = {},
  ) {
    super(message)
    this.name = 'HttpProblem'
    this.code = code
    this.errors = options.errors
    this.headers = options.headers ?? {}
  }
}

/** @returns the body of the response, and its headers beyond the usual ones */
export function problemOf(
  error: unknown,
  request: { id: string; path: string },
): { problem: Problem; headers: Record<string, string> } {
  const isKnown = (error instanceof DomainError || error instanceof HttpProblem) && error.code in PROBLEMS
  const known = isKnown ? error : fromFastify(error)
  const { status, title } = PROBLEMS[known.code]
  const index = known instanceof DomainError ? known.index : undefined
  const problem: Problem = {
    type: PROBLEM_TYPE_PREFIX + known.code,
    title,
    status,
    detail: index === undefined ? known.message : `Input ${index}: ${known.message}`,
    instance: request.path,
    code: known.code,
    request_id: request.id,
    ...(index !== undefined && { index }),
    ...(known.errors && { errors: known.errors }),
  }
  if (OPENAI_PATHS.includes(request.path)) problem.error = { message: problem.detail, type: title, code: known.code }
  const headers = known instanceof HttpProblem ? { ...known.headers } : {}
  if ([429, 503].includes(status) && headers['retry-after'] === undefined) {
    const retryAfterS = known instanceof DomainError ? known.retryAfterS : undefined
    headers['retry-after'] = String(retryAfterS ?? DEFAULT_RETRY_AFTER_S)
  }
  return { problem, headers }
}

const BY_STATUS: Record<number, [ProblemCode, string]> = {
  413: ['payload-too-large', 'The body is larger than this service takes; `/v1/models` states the limits.'],
  414: ['invalid-request', 'The path is too long.'],
  415: [
    'unsupported-media-type',
    'The body must be `application/json` or, where the contract says so, `multipart/form-data`.',
  ],
}

/** Errors of the framework speak of the client's request and may be told; any other stays between us and the log. */
function fromFastify(error: unknown): HttpProblem {
  const { code, statusCode = 500, message = '' } = error as { code?: string; statusCode?: number; message?: string }
  if (typeof code === 'string' && code.startsWith('FST_') && statusCode >= 400 && statusCode < 500) {
    const [problem, detail] = BY_STATUS[statusCode] ?? ['invalid-request', message]
    return new HttpProblem(problem, detail)
  }
  return new HttpProblem('internal', 'The service failed; its log has more under the request id.')
}
