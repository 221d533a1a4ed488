/** A bar on standard error while something long goes on; nothing where that is no terminal. */
import { SingleBar } from 'cli-progress'
import { asBytes, asDuration } from './table.ts'

export interface ProgressOptions {
  /** What is counted, e.g. `items`; `bytes` are shown in their units. */
  unit: string
  total: number
  /** How much is done before this run; it does not count for the rate. */
  before?: number
}

export class Progress {
  readonly #bar: SingleBar
  readonly #options: Required<ProgressOptions>
  readonly #began = performance.now()

  constructor(options: ProgressOptions) {
    this.#options = { before: 0, ...options }
    this.#bar = new SingleBar({
      format: '{bar} {done}/{all} {unit}, {rate} a second, {left} left{more}',
      hideCursor: null,
      barsize: 24,
    })
    this.#bar.start(Math.max(1, options.total), this.#options.before, this.#payload(this.#options.before, ''))
  }

  /** @param done of all, `before` included. @param more what else is to be said, e.g. `2 failed` */
  update(done: number, more = ''): void {
    this.#bar.update(done, this.#payload(done, more && `, ${more}`))
  }

  stop(): void {
    this.#bar.stop()
  }

  #payload(done: number, more: string) {
    const { unit, total, before } = this.#options
    const rate = ((done - before) * 1000) / Math.max(1, performance.now() - this.#began)
    const show = (count: number) => (unit === 'bytes' ? asBytes(count) : String(count))
    return {
      done: show(done),
      all: show(total),
      unit: unit === 'bytes' ? '' : unit,
      rate: unit === 'bytes' ? asBytes(Math.round(rate)) : rate.toFixed(1),
      left: rate > 0 ? asDuration((total - done) / rate) : '–',
      more,
    }
  }
}
