/** Bounds what is in work at once, by number and by bytes: whoever may not come in is told at once, and nobody waits. */
export class Room {
  #requests = 0
  #bytes = 0
  readonly #waiting: (() => void)[] = []

  constructor(
    private readonly maxRequests: number,
    private readonly maxBytes: number,
  ) {}

  get requests(): number {
    return this.#requests
  }

  /** @returns call once, to leave; undefined where there is no room */
  enter(bytes: number): (() => void) | undefined {
    // One that is larger than the bound by itself is let in when alone, as it could never be served otherwise.
    const isTooMuch = this.#requests > 0 && this.#bytes + bytes > this.maxBytes
    if (this.#requests >= this.maxRequests || isTooMuch) return undefined
    this.#requests++
    this.#bytes += bytes
    return () => {
      this.#bytes -= bytes
      if (--this.#requests === 0) for (const resolve of this.#waiting.splice(0)) resolve()
    }
  }

  /** Resolves when nothing is in work. */
  async emptied(): Promise<void> {
    if (this.#requests > 0) await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }
}
