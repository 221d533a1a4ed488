/**
 * How Qdrant is called: again, after a pause with jitter, where the connection, the server or its rate limit failed and the call
 * may be made twice; until a deadline; and with every failure as a DomainError. The client does none of this, and has no way
 * to cancel but its own timeout. It knows the client's errors by their shape: only `qdrant.ts` imports the package.
 */
import { DomainError } from '../errors.ts'

export interface CallLimits {
  /** ms one attempt may take. */
  attemptMs: number
  /** ms after which no further attempt begins. */
  deadlineMs: number
  /** ms of the first pause at most; each pause may be twice the one before. */
  pauseMs: number
}

export const CALL_LIMITS: CallLimits = { attemptMs: 10_000, deadlineMs: 15_000, pauseMs: 100 }

const RETRY_AFTER_S = 5

export class QdrantCalls {
  readonly #limits: CallLimits

  constructor(limits: CallLimits) {
    this.#limits = limits
  }

  /** For calls that may be made twice. @throws DomainError */
  async repeatable<T>(task: () => Promise<T>): Promise<T> {
    const deadline = performance.now() + this.#limits.deadlineMs
    for (let pause = this.#limits.pauseMs; ; pause *= 2) {
      try {
        return await task()
      } catch (error) {
        const wait = pause * (0.5 + Math.random() / 2)
        if (!isPassing(error) || performance.now() + wait > deadline) throw unavailable(error)
        await new Promise((resolve) => setTimeout(resolve, wait))
      }
    }
  }

  /** For calls whose answer would be another the second time. @throws DomainError */
  async once<T>(task: () => Promise<T>): Promise<T> {
    return task().catch((error: unknown) => {
      throw unavailable(error)
    })
  }
}

/** The HTTP status, if Qdrant answered. The client makes errors without a status of answers of 429 that say when to return. */
export function statusOf(error: unknown): number | undefined {
  if (!(error instanceof Error)) return undefined
  if ('retry_after' in error) return 429
  return 'status' in error && typeof error.status === 'number' ? error.status : undefined
}

/** Whether the same call may succeed a moment later. A defect of ours, a TypeError but fetch's, does not pass. */
function isPassing(error: unknown): boolean {
  if (error instanceof DomainError) return false
  const status = statusOf(error)
  if (status !== undefined) return status === 429 || status >= 500
  return error instanceof Error && (/timeout|abort/i.test(error.name) || error.message === 'fetch failed')
}

export function noSuchCollection(name: string): DomainError {
  return new DomainError('not-found', `There is no collection '${name}'.`)
}

function unavailable(error: unknown): DomainError {
  if (error instanceof DomainError) return error
  const status = statusOf(error)
  const sentence =
    status === 401 || status === 403
      ? 'The vector store refuses this service: QDRANT_API_KEY is missing or wrong.'
      : 'The vector store could not be read or written; try again shortly.'
  return new DomainError('vector-store-unavailable', sentence, { cause: error, retryAfterS: RETRY_AFTER_S })
}
