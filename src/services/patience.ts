/** Work of a job waits for what cannot be used now, however long that takes: nobody else could do it meanwhile. */
import { setTimeout as pause } from 'node:timers/promises'
import { DomainError, type ErrorCode } from '../errors.ts'

/** Nothing is wrong with the work itself; as with whatever says when to come again. */
const NOT_NOW: readonly ErrorCode[] = [
  'overloaded',
  'encoder-unavailable',
  'vector-store-unavailable',
  'queue-unavailable',
]
const FIRST_PAUSE_MS = 250
const MAX_PAUSE_MS = 30_000
/** Of an error that nobody foresaw. */
const MAX_TRIES = 3

/**
 * @param isForeseen whether an error tells what is wrong with the work, so that another try would end alike
 * @throws what `task` throws of that kind, or thrice of another; `signal.reason`
 */
export async function patiently<T>(
  task: () => Promise<T>,
  isForeseen: (error: unknown) => boolean,
  signal: AbortSignal,
): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await task()
    } catch (error) {
      signal.throwIfAborted()
      const isForLater =
        error instanceof DomainError && (NOT_NOW.includes(error.code) || error.retryAfterS !== undefined)
      if (!isForLater && (isForeseen(error) || tries >= MAX_TRIES)) throw error
      await pause(pauseMs(error, tries), undefined, { signal }).catch(() => signal.throwIfAborted())
    }
  }
}

/** What the error asks for, but soon enough to notice that it is over; more each time, and never in step with others. */
function pauseMs(error: unknown, tries: number): number {
  const asked = error instanceof DomainError ? (error.retryAfterS ?? 0) * 1000 : 0
  const growing = FIRST_PAUSE_MS * 2 ** Math.min(tries - 1, 10)
  return Math.min(MAX_PAUSE_MS, Math.max(growing, Math.min(asked, growing * 4))) * (0.75 + Math.random() / 2)
}
