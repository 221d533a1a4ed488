/**
 * Typed errors of the domain. They know nothing of HTTP: `http/problems.ts` maps each code to a status, and a test fails
 * if that registry, the contract and the documentation differ. A message is a whole sentence that says what to do.
 */

export const ERROR_CODES = [
  'invalid-request',
  'unauthenticated',
  'forbidden',
  'not-found',
  'conflict',
  'payload-too-large',
  'unsupported-media-type',
  'undecodable-media',
  'input-too-long',
  'media-too-large',
  'unsupported-by-model',
  'unprocessable-content',
  'idempotency-key-reused',
  'rate-limited',
  'internal',
  'overloaded',
  'encoder-unavailable',
  'encoder-starting',
  'vector-store-unavailable',
  'queue-unavailable',
  'deadline-exceeded',
] as const

export type ErrorCode = (typeof ERROR_CODES)[number]

/** One finding of several, e.g. a field that failed validation. `pointer` is an RFC 6901 pointer into the request. */
export interface ErrorDetail {
  pointer?: string
  detail: string
}

export interface DomainErrorOptions extends ErrorOptions {
  errors?: ErrorDetail[]
  /** Index of the failing element where the request held several. */
  index?: number
  /** Whole seconds after which trying again makes sense. */
  retryAfterS?: number
}

/** The one error class that crosses module borders; anything else thrown is a defect and becomes a bare 500. */
export class DomainError extends Error {
  readonly code: ErrorCode
  readonly errors: ErrorDetail[] | undefined
  readonly retryAfterS: number | undefined
  index: number | undefined

  constructor(code: ErrorCode, message: string, options: DomainErrorOptions = {}) {
    super(message, options)
    this.name = 'DomainError'
    this.code = code
    this.errors = options.errors
    this.index = options.index
    this.retryAfterS = options.retryAfterS
  }
}
