/**
 * Services that sleep until they are wanted (scaled to zero), before the queue: who meets none that is ready waits here, each by
 * itself, holding no place that another could use.
 *
 *   some service is ready          go on
 *   none, for another reason       go on: the dispatcher tells what is wrong
 *   all asleep, time left          ask again, every quarter of a second
 *   all asleep, time over          `encoder-starting`, just before the request's own deadline, so that it says more than that
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { deadlineOf } from '../../deadline.ts'
import { DomainError } from '../../errors.ts'
import type { Replica } from './replica.ts'

/** What is kept of a request's time to tell it in. */
const TO_TELL_MS = 250
const PAUSE_MS = 250
/** Advice once they should have been there already. */
const LATE_RETRY_S = 5

export class Wake {
  /** Since when all sleep, on the clock of `performance.now()`. */
  #sinceMs: number | undefined

  /**
   * @param wakeS how long services take from nothing to ready; 0 where they never sleep
   * @param patienceMs how long a request without a deadline waits
   */
  constructor(
    private readonly replicas: readonly Replica[],
    private readonly wakeS: number,
    private readonly patienceMs: number,
  ) {}

  /** Whether there is nothing wrong but that services are not there now, as they may. */
  get isAsleep(): boolean {
    return this.wakeS > 0 && this.replicas.every((replica) => replica.isAsleep)
  }

  /** @throws DomainError `encoder-starting`; the signal's reason if it fires */
  async up(signal?: AbortSignal): Promise<void> {
    if (this.wakeS === 0) return
    const deadlineMs = deadlineOf(signal)
    const untilMs = deadlineMs === undefined ? performance.now() + this.patienceMs : deadlineMs - TO_TELL_MS
    while (!this.#isReady) {
      await this.#ask(untilMs - performance.now(), signal)
      if (this.#isReady || !this.isAsleep) break
      this.#sinceMs ??= performance.now()
      if (performance.now() >= untilMs) throw this.starting()
      await pause(Math.min(PAUSE_MS, untilMs - performance.now()), signal)
    }
    this.#sinceMs = undefined
  }

  starting(): DomainError {
    const leftS = this.wakeS - (performance.now() - (this.#sinceMs ?? performance.now())) / 1000
    const retryAfterS = leftS > 0 ? Math.ceil(leftS) : LATE_RETRY_S
    const message = `The encoder services are starting; try again in ${retryAfterS} s.`
    return new DomainError('encoder-starting', message, { retryAfterS })
  }

  get #isReady(): boolean {
    return this.replicas.some((replica) => replica.isReady)
  }

  /** Asks all at once, but waits no longer than there is time. */
  async #ask(timeMs: number, signal: AbortSignal | undefined): Promise<void> {
    const over = new AbortController()
    const asked = Promise.all(this.replicas.map((replica) => replica.probe())).finally(() => over.abort())
    await Promise.race([asked, pause(timeMs, signal, over.signal)])
    signal?.throwIfAborted()
  }
}

/** @param over ends it early */
async function pause(ms: number, signal: AbortSignal | undefined, over?: AbortSignal): Promise<void> {
  const signals = [signal, over].filter((one) => one !== undefined)
  await sleep(Math.max(0, ms), undefined, { signal: AbortSignal.any(signals) }).catch(() => signal?.throwIfAborted())
}
