/** Work that comes again every now and then, one run at a time, until it is stopped. */
export class Recurring {
  readonly #task: () => Promise<unknown>
  readonly #everyMs: number
  #timer: NodeJS.Timeout | undefined
  #running: Promise<unknown> = Promise.resolve()

  /** @param task what fails is left to the next time */
  constructor(task: () => Promise<unknown>, everyMs: number) {
    this.#task = task
    this.#everyMs = everyMs
  }

  /** Now, and then every `everyMs` after the end of the run before. Keeps no process alive. */
  start(): void {
    const again = () => {
      this.#running = this.#task()
        .catch(() => undefined)
        .then(() => {
          if (this.#timer !== undefined) this.#timer = setTimeout(again, this.#everyMs).unref()
        })
    }
    this.#timer = setTimeout(again, 0).unref()
  }

  /** Resolves when the run that is under way, if one is, has ended. */
  async stop(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    await this.#running
  }
}
