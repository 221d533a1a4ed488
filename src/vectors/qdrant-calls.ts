/**
 * How Qdrant is called: again where the connection, the server or its rate limit failed and the call may be made twice, after a
 * pause with jitter, or as long as it asks for; until a deadline; and with every failure as a DomainError. The client does none
 * of this, and has no way to cancel but its own timeout. It knows the client's errors by their shape: only `qdrant-server.ts`
 * imports the package.
 */
import { DomainError } from '../errors.ts'
import { unavailable } from './store-errors.ts'

export interface CallLimits {
  /** ms one attempt may take. */
  attemptMs: number
  /** ms after which no further attempt begins. */
  deadlineMs: number
  /** ms of the first pause at most; each pause may be twice the one before. */
  pauseMs: number
}

export const CALL_LIMITS: CallLimits = { attemptMs: 10_000, deadlineMs: 15_000, pauseMs: 100 }

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
        const wait = Math.max(pause * (0.5 + Math.random() / 2), askedPauseMs(error))
        if (!isPassing(error) || performance.now() + wait > deadline) throw failed(error)
        await new Promise((resolve) => setTimeout(resolve, wait))
      }
    }
  }

  /** For calls whose answer would be another the second time. @throws DomainError */
  async once<T>(task: () => Promise<T>): Promise<T> {
    return task().catch((error: unknown) => {
      throw failed(error)
    })
  }
}

/** What an answer of 429 asks for, or less: of `retry-after: 12` the client keeps the first digit. */
function askedPauseMs(error: unknown): number {
  const seconds = error instanceof Error && 'retry_after' in error ? Number(error.retry_after) : 0
  return seconds > 0 ? seconds * 1000 : 0
}

/** What Qdrant says is wrong, if it answered. */
export function reasonOf(error: unknown): string {
  return JSON.stringify((error as { data?: unknown } | undefined)?.data ?? '')
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

function failed(error: unknown): DomainError {
  const status = statusOf(error)
  if (status === 401 || status === 403)
    return unavailable(error, 'The vector store refuses this service: QDRANT_API_KEY is missing or wrong.')
  return unavailable(error)
}
