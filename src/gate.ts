/** Lets at most `width` tasks run at once; the others wait in order, and leave the queue when they are aborted. */
import { Serial } from './serial.ts'

export class Gate {
  readonly #width: number
  readonly #alone = new Serial()
  #free: number
  readonly #waiting: (() => void)[] = []

  constructor(width: number) {
    this.#width = width
    this.#free = width
  }

  async run<T>(task: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    await this.enter(signal)
    try {
      return await task()
    } finally {
      this.leave()
    }
  }

  /** Runs a task while no other does. Such tasks come one after another; of the others, those that came before are waited for. */
  runAlone<T>(task: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    return this.#alone.run(async () => {
      let entered = 0
      try {
        for (; entered < this.#width; entered++) await this.enter(signal)
        return await task()
      } finally {
        for (; entered > 0; entered--) this.leave()
      }
    })
  }

  /** Resolves when there is room; whoever enters leaves. Rejects with the signal's reason. */
  enter(signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.reject(signal.reason)
    if (this.#free > 0) {
      this.#free--
      return Promise.resolve()
    }
    return new Promise((resolve, reject) => {
      const turn = () => {
        signal?.removeEventListener('abort', giveUp)
        resolve()
      }
      const giveUp = () => {
        this.#waiting.splice(this.#waiting.indexOf(turn), 1)
        reject(signal?.reason)
      }
      signal?.addEventListener('abort', giveUp, { once: true })
      this.#waiting.push(turn)
    })
  }

  leave(): void {
    const next = this.#waiting.shift()
    if (next) next()
    else this.#free++
  }
}
