/** Lends a few resources (sessions) out, in the order they were asked for, the least used first. */
export class Turns<Resource> {
  readonly #uses: Map<Resource, number>
  readonly #waiting: ((resource: Resource) => void)[] = []
  readonly #depth: number
  readonly #released = new Map<Resource, number>()

  /** @param depth users of one resource at once */
  constructor(resources: readonly Resource[], depth = 1) {
    this.#uses = new Map(resources.map((resource) => [resource, 0]))
    this.#depth = depth
  }

  /** The next free resource; whoever takes it gives it back with `release`. */
  take(): Promise<Resource> {
    const [free] = [...this.#uses].sort(([, a], [, b]) => a - b)
    if (free === undefined || free[1] >= this.#depth) return new Promise((resolve) => this.#waiting.push(resolve))
    this.#uses.set(free[0], free[1] + 1)
    return Promise.resolve(free[0])
  }

  /** When a user of it was last done, on the clock of whoever released it: since then the next one has had it alone. */
  releasedMs(resource: Resource): number {
    return this.#released.get(resource) ?? 0
  }

  /** @param nowMs default ms since 1970 */
  release(resource: Resource, nowMs = Date.now()): void {
    this.#released.set(resource, nowMs)
    const next = this.#waiting.shift()
    if (next) next(resource)
    else this.#uses.set(resource, this.#uses.get(resource)! - 1)
  }
}
