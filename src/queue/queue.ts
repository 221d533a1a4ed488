/**
 * The port between what is to be done later and who does it. In: messages, short texts that name work. Out: each handed to one
 * consumer at a time, at least once, until it is done. Three engines fill it: a journal on disk for one machine
 * (`journal-queue.ts`), BullMQ on Redis (`redis-queue.ts`) and SQS (`sqs-queue.ts`); all must pass `tests/contract/queue.ts`.
 *
 *   send ─► waiting ─► active ─► done, and forgotten
 *              ▲          ├─ the handler failed ─► waiting, after a pause that doubles
 *              └──────────┴─ its process died   ─► waiting, once it has given no sign of life for `lifeMs`
 *                         └─ for the `maxAttempts`th time ─► parked: kept for the operator, handed to nobody
 *
 * A message may come twice, at once even: what is done for it must be such that twice is once.
 */

export interface Queue {
  /**
   * Durable when it resolves, as far as the engine is. One that waits or is active already stays one, where the engine can tell.
   * @throws DomainError `queue-unavailable`; some may have been sent
   */
  send(messages: readonly string[]): Promise<void>
  /** Hands messages to `handle` until it is stopped. */
  consume(work: Work): Consumer
  /** @throws DomainError `queue-unavailable` */
  depth(): Promise<QueueDepth>
  close(): Promise<void>
}

export interface Work {
  /** Messages handled at once. */
  atOnce: number
  /**
   * Resolves when the message is done with. A message whose handling rejects comes again.
   * @param attempt 1 for the first time; a process that died counts
   * @param signal aborted when the consumer is stopped: reject then, and another consumer has it next
   */
  handle(message: string, attempt: number, signal: AbortSignal): Promise<void>
  /** A message is about to be parked; it is once this resolves. */
  onParked(message: string, reason: unknown): Promise<void>
  /** What went wrong, where it is nobody's answer. */
  onError(error: unknown): void
}

export interface Consumer {
  /** Takes no more, aborts what is handled, and resolves when that has settled. */
  stop(): Promise<void>
}

export interface QueueDepth {
  /** To be handed out, now or after a pause. */
  waiting: number
  active: number
  parked: number
}

export interface QueueOptions {
  /** Times a message is handed out at most. */
  maxAttempts: number
  /** Pause before the second attempt; it doubles with each, up to `MAX_PAUSE_MS`. */
  firstPauseMs: number
  /** Without a sign of life for this long a consumer counts as dead, where consumers are other processes. */
  lifeMs: number
}

/**
 * A worker that is killed costs each message it had an attempt, and machines that are taken away at any time kill many: so many
 * attempts. What ends every worker that takes it is found long before, line by line (`services/part-runner.ts`).
 */
export const QUEUE_OPTIONS: QueueOptions = { maxAttempts: 25, firstPauseMs: 1000, lifeMs: 30_000 }

export const MAX_PAUSE_MS = 60_000

/** Before the attempt after this one. */
export function pauseAfter(attempt: number, firstPauseMs: number): number {
  return Math.min(MAX_PAUSE_MS, firstPauseMs * 2 ** (attempt - 1))
}

/** How one handling of a message ended, which engines then act on: with `again` it waits for a pause, with `park` it is parked. */
export type Handled = { outcome: 'done' } | { outcome: 'stopped' | 'again' | 'park'; reason: unknown }

/** Hands a message to its consumer, unless it was handed out too often: then its last ones died within it. Never rejects. */
export async function handled(
  work: Pick<Work, 'handle' | 'onError'>,
  { message, attempt, maxAttempts }: { message: string; attempt: number; maxAttempts: number },
  signal: AbortSignal,
): Promise<Handled> {
  if (attempt > maxAttempts) return { outcome: 'park', reason: neverFinished(maxAttempts) }
  try {
    await work.handle(message, attempt, signal)
    return { outcome: 'done' }
  } catch (reason) {
    if (signal.aborted) return { outcome: 'stopped', reason }
    work.onError(reason)
    return { outcome: attempt < maxAttempts ? 'again' : 'park', reason }
  }
}

function neverFinished(attempts: number): Error {
  return new Error(`No worker finished it in ${attempts} attempts; the last ones ended within it.`)
}
