/**
 * A circuit breaker: what failed is left alone for a while, longer each time.
 *
 *   closed ── a lost connection, or several failures in a row ──► open ── pause over ──► half-open ── success ──► closed
 *                                                                  ▲                        └── failure ──┐
 *                                                                  └──────────────────────────────────────┘
 */

const FAILURES_IN_A_ROW = 3
const FIRST_PAUSE_MS = 250
const LONGEST_PAUSE_MS = 10_000

export class Breaker {
  #failures = 0
  /** Times it opened since something succeeded. */
  #openings = 0
  #openUntilMs: number | undefined

  constructor(private readonly nowMs: () => number = () => performance.now()) {}

  get state(): 'closed' | 'open' | 'half-open' {
    if (this.#openUntilMs === undefined) return 'closed'
    return this.nowMs() < this.#openUntilMs ? 'open' : 'half-open'
  }

  failed(): void {
    if (++this.#failures >= FAILURES_IN_A_ROW || this.state === 'half-open') this.trip()
  }

  /** Opens it at once. While it is open, more failures (of work begun before) do not lengthen the pause. */
  trip(): void {
    if (this.state === 'open') return
    const pauseMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.#openings++)
    this.#openUntilMs = this.nowMs() + pauseMs
    this.#failures = 0
  }

  /** A success of work begun before it opened does not close it. */
  succeeded(): void {
    if (this.state === 'open') return
    this.#failures = 0
    this.#openings = 0
    this.#openUntilMs = undefined
  }
}
