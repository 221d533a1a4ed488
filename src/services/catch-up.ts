/**
 * While services with two models share a store, each writes vectors of its own model alone. So each looks, every now and then, for
 * items that others wrote, and makes its vectors for them: after a moment both find everything, until one model is dropped.
 */
import type { MaintainedStore, ModelVectors } from '../vectors/maintenance.ts'
import { fillAll, type ReembedDeps } from './reembed.ts'

const EVERY_MS = 30_000
/** Times as rarely while no other model is there: a second one comes with a command, and with a service that looks at its start. */
const PATIENCE = 10

export class CatchUp {
  readonly #store: Pick<MaintainedStore, 'shared'>
  readonly #model: ModelVectors
  readonly #deps: ReembedDeps
  readonly #stopped = new AbortController()
  #running: Promise<void> = Promise.resolve()
  #timer: NodeJS.Timeout | undefined

  constructor(store: Pick<MaintainedStore, 'shared'>, model: ModelVectors, deps: ReembedDeps) {
    this.#store = store
    this.#model = model
    this.#deps = deps
  }

  start(everyMs = EVERY_MS): void {
    // What fails now is tried again the next time: the requests of clients tell what is wrong.
    const tick = () => {
      this.#running = this.once().then(
        (isShared) => again(isShared ? everyMs : everyMs * PATIENCE),
        () => again(everyMs),
      )
    }
    const again = (afterMs: number) => {
      if (!this.#stopped.signal.aborted) this.#timer = setTimeout(tick, afterMs).unref()
    }
    tick()
  }

  /** @returns whether a collection has another model's vectors too */
  async once(): Promise<boolean> {
    const all = await this.#store.shared(this.#model)
    for (const shared of all) await fillAll(shared, this.#deps, { signal: this.#stopped.signal })
    return all.length > 0
  }

  async stop(): Promise<void> {
    this.#stopped.abort()
    clearTimeout(this.#timer)
    await this.#running
  }
}
