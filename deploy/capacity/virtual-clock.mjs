/**
 * A clock that goes on by itself to the next thing that is to happen, as soon as all that the last one led to has settled: hours pass in
 * seconds, always in the same order. It is what the batcher takes as its `clock`.
 */
export class VirtualClock {
  #nowMs = 0
  #order = 0
  /** A heap by time, then by order of asking. */
  #events = []

  nowMs() {
    return this.#nowMs
  }

  /** @returns call to have it not called */
  after(ms, call) {
    const event = { atMs: this.#nowMs + Math.max(0, ms), order: this.#order++, call }
    this.#push(event)
    return () => {
      event.call = undefined
    }
  }

  sleep(ms) {
    return new Promise((resolve) => this.after(ms, resolve))
  }

  /** Lets time pass until nothing is left to happen, or `untilMs`. */
  async run(untilMs = Number.POSITIVE_INFINITY) {
    await settled()
    while (this.#events.length > 0 && this.#events[0].atMs <= untilMs) {
      const { atMs, call } = this.#pop()
      if (call === undefined) continue
      this.#nowMs = atMs
      call()
      await settled()
    }
  }

  #push(event) {
    const heap = this.#events
    let at = heap.push(event) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!isBefore(event, heap[parent])) break
      heap[at] = heap[parent]
      at = parent
    }
    heap[at] = event
  }

  #pop() {
    const heap = this.#events
    const first = heap[0]
    const last = heap.pop()
    if (heap.length === 0) return first
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1], heap[child])) child++
      if (!isBefore(heap[child], last)) break
      heap[at] = heap[child]
      at = child
    }
    heap[at] = last
    return first
  }
}

const isBefore = (a, b) => a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)

/** All promises that could go on have. */
const settled = () => new Promise((resolve) => setImmediate(resolve))
