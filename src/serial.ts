/** Tasks one at a time, in order of arrival: the writers of a collection, of an item, of an original. */

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

/** One at a time for each key. A key costs nothing once its tasks have settled. */
export class KeyedSerial {
  readonly #lines = new Map<string, { serial: Serial; waiting: number }>()

  run<T>(key: string, task: () => Promise<T>): Promise<T> {
    const line = this.#lines.get(key) ?? { serial: new Serial(), waiting: 0 }
    this.#lines.set(key, line)
    line.waiting++
    return line.serial.run(task).finally(() => {
      if (--line.waiting === 0) this.#lines.delete(key)
    })
  }

  async drained(): Promise<void> {
    await Promise.all([...this.#lines.values()].map(({ serial }) => serial.drained()))
  }
}
