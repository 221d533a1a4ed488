/** Group commit: what comes while a task runs is done by the next one together. */
import type { Serial } from './serial.ts'

interface Entry<In, Out> {
  item: In
  resolve: (outcome: Out) => void
  reject: (reason: unknown) => void
}

export class Gathering<In, Out> {
  readonly #options: GatheringOptions<In, Out>
  #waiting: Entry<In, Out>[] = []
  #isComing = false

  constructor(options: GatheringOptions<In, Out>) {
    this.#options = options
  }

  /** @returns what `run` made of it. @throws what `run` threw, if it threw for this item alone too */
  submit(item: In): Promise<Out> {
    const outcome = new Promise<Out>((resolve, reject) => this.#waiting.push({ item, resolve, reject }))
    this.#come()
    return outcome
  }

  /** One turn at most waits in line: one for each item would have what others give to `serial` wait for all of them. */
  #come(): void {
    if (this.#isComing || this.#waiting.length === 0) return
    this.#isComing = true
    void this.#options.serial.run(() => this.#next())
  }

  async #next(): Promise<void> {
    this.#isComing = false
    const group = this.#take()
    this.#come()
    if (group.length > 0) await this.#settle(group)
  }

  /** The oldest, but of each key only one: what has the same key may depend on it. */
  #take(): Entry<In, Out>[] {
    const { keyOf, max } = this.#options
    const keys = new Set<string>()
    const group: Entry<In, Out>[] = []
    const left: Entry<In, Out>[] = []
    for (const entry of this.#waiting) {
      const key = keyOf(entry.item)
      const isTaken = group.length < max && !keys.has(key)
      keys.add(key)
      ;(isTaken ? group : left).push(entry)
    }
    this.#waiting = left
    return group
  }

  async #settle(group: Entry<In, Out>[]): Promise<void> {
    try {
      const outcomes = await this.#options.run(group.map(({ item }) => item))
      for (const [i, { resolve, reject }] of group.entries()) {
        const outcome = outcomes[i]!
        if (outcome.status === 'fulfilled') resolve(outcome.value)
        else reject(outcome.reason)
      }
    } catch (error) {
      if (group.length === 1) return group[0]!.reject(error)
      for (const entry of group) await this.#settle([entry]) // one bad item must not fail its company
    }
  }
}

export interface GatheringOptions<In, Out> {
  /** Whose tasks the groups are. */
  serial: Serial
  /** Most items of one group. */
  max: number
  /** Items of one key are never in one group, and stay in order. */
  keyOf: (item: In) => string
  /** Does a group; an outcome each, in order. If it throws, nothing was done, and each is tried alone. */
  run: (items: In[]) => Promise<PromiseSettledResult<Out>[]>
}
