/** What can go wrong with a request, typed: branch on `code`. */
import type { components } from './contract.ts'

export type Problem = components['schemas']['Problem']
export type ProblemCode = components['schemas']['ProblemCode']

/** The service, or something before it, refused a request. */
export class OnepeaceError extends Error {
  override name = 'OnepeaceError'
  readonly status: number
  /** To quote when reporting a fault; undefined if the answer bore none. */
  readonly requestId: string | undefined
  /** What `Retry-After` said. */
  readonly retryAfterMs: number | undefined

  constructor(message: string, response: Response) {
    super(message)
    this.status = response.status
    this.requestId = response.headers.get('x-request-id') ?? undefined
    this.retryAfterMs = retryAfterMsOf(response)
  }
}

/** An RFC 9457 problem of the service; `message` is its `detail`. The codes are listed in docs/errors.md. */
export class ProblemError extends OnepeaceError {
  override name = 'ProblemError'
  readonly problem: Problem

  constructor(problem: Problem, response: Response) {
    super(problem.detail, response)
    this.problem = problem
  }

  get code(): ProblemCode {
    return this.problem.code
  }

  /** Which of several inputs failed. */
  get index(): number | undefined {
    return this.problem.index
  }

  /** Every finding of a validation; empty for other problems. */
  get errors(): NonNullable<Problem['errors']> {
    return this.problem.errors ?? []
  }
}

const EXCERPT_CHARS = 200

/** @param body the answer's body: parsed if it was JSON, else as text */
export function errorOf(response: Response, body: unknown): OnepeaceError {
  if (isProblem(body)) return new ProblemError(body, response)
  const said = typeof body === 'string' ? body : JSON.stringify(body ?? '')
  const message = `HTTP ${response.status}, and no problem of onepeace: is ${response.url} the service? It said: ${said.slice(0, EXCERPT_CHARS)}`
  return new OnepeaceError(message, response)
}

function isProblem(body: unknown): body is Problem {
  return typeof body === 'object' && body !== null && 'code' in body && 'detail' in body
}

/** Seconds or a date (RFC 9110 §10.2.3), as milliseconds from now. */
function retryAfterMsOf(response: Response): number | undefined {
  const text = response.headers.get('retry-after')
  if (text === null) return undefined
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now()
  return Number.isNaN(ms) ? undefined : Math.max(0, ms)
}
