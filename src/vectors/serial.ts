/** One at a time, in order of arrival: the writers of one collection. */

export class Serial {
  #tail: Promise<unknown> = Promise.resolve()

  /** Runs `task` when all earlier ones have settled; a failed task does not stop the next. */
  run<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(task, task)
    this.#tail = result.catch(() => undefined)
    return result
  }

  /** Resolves when everything given so far has settled. */
  async drained(): Promise<void> {
    await this.#tail
  }
}
