/**
 * A fleet of encoders on a virtual clock. What is the service's own: the batcher (src/encoder/batcher.ts) and its bounds. What follows
 * the service's rules: the encoder with the least in work takes the next request; a request that meets none waits, and is told that
 * encoders are starting shortly before its time is over (src/encoder/remote/wake.ts); the number of encoders follows the requests of the
 * last minute, and is none after some idle ones (deploy/serverless/encoder-gpu.yml, which also steps down in between). What is assumed: how long a batch takes.
 */
import { Batcher } from '../../dist/encoder/batcher.js'
import { MAX_BATCH, MAX_COST } from '../../dist/encoder/queue-bounds.js'
import { Turns } from '../../dist/encoder/turns.js'
import { VirtualClock } from './virtual-clock.mjs'

/** Of a picture as the batcher counts it: pixels. */
const COST = 640 * 480
const EVALUATION_MS = 60_000

/**
 * @typedef {object} Setting
 * @property {number} minimum,maximum encoders
 * @property {number} wakeS from wanted to ready
 * @property {number} idleMinutes without a request before there are none (or `minimum`)
 * @property {number} perMinute requests that one encoder is meant to answer
 * @property {number} deadlineS time that each request has
 * @property {number} maxWaitMs the batcher's
 * @property {number} [maxBatch] the batcher's, by default the service's own
 * @property {{fixedMs: number, perInputMs: number}} batch how long one takes
 */

/** Replays arrivals. @returns {Promise<object>} counts, latencies in ms, encoder hours, and a line a minute */
export async function replay(times, setting) {
  const clock = new VirtualClock()
  const fleet = new Fleet(clock, setting)
  const result = {
    answered: 0,
    starting: 0,
    overloaded: 0,
    late: 0,
    latenciesMs: [],
    batches: fleet.batches,
    minutes: [],
  }
  let open = times.length

  const ask = async () => {
    const beganMs = clock.nowMs()
    try {
      await fleet.encode(beganMs + setting.deadlineS * 1000)
      result.answered++
      result.latenciesMs.push(clock.nowMs() - beganMs)
    } catch (error) {
      if (error.code === 'overloaded') result.overloaded++
      else if (error.code === 'encoder-starting') result.starting++
      else result.late++
    }
    open--
  }
  const arrive = (i) => {
    if (i === times.length) return
    clock.after(times[i] - clock.nowMs(), () => {
      fleet.wanted++
      arrive(i + 1)
      void ask()
    })
  }
  const evaluate = () => {
    result.minutes.push({ requests: fleet.wanted, encoders: fleet.ready.length })
    fleet.scale()
    if (open > 0) clock.after(EVALUATION_MS, evaluate)
  }
  arrive(0)
  clock.after(EVALUATION_MS, evaluate)
  await clock.run()
  result.encoderHours = fleet.paidMs(clock.nowMs()) / 3600_000
  result.latenciesMs.sort((a, b) => a - b)
  return result
}

class Fleet {
  ready = []
  batches = []
  /** Requests since the last evaluation. */
  wanted = 0
  #starting = 0
  #idleMinutes = 0
  #paid = 0
  #waiting = []

  constructor(clock, setting) {
    this.clock = clock
    this.setting = setting
    for (let i = 0; i < setting.minimum; i++) this.#begin(0)
  }

  async encode(deadlineMs) {
    const encoder = await this.#pick(deadlineMs)
    const over = new AbortController()
    const cancel = this.clock.after(deadlineMs - this.clock.nowMs(), () => over.abort())
    encoder.inWork++
    try {
      await encoder.batcher.submit(COST, over.signal)
    } finally {
      cancel()
      encoder.inWork--
    }
  }

  /** Once a minute, as alarms are. */
  scale() {
    const { minimum, maximum, perMinute, idleMinutes } = this.setting
    this.#idleMinutes = this.wanted === 0 ? this.#idleMinutes + 1 : 0
    const has = this.ready.length + this.#starting
    const wants = Math.max(minimum, Math.min(maximum, Math.ceil(this.wanted / perMinute)))
    this.wanted = 0
    for (let i = has; i < wants; i++) this.#begin(this.setting.wakeS)
    if (this.#idleMinutes >= idleMinutes) while (this.ready.length > minimum) this.#end(this.ready.pop())
  }

  paidMs(nowMs) {
    return this.#paid + this.ready.reduce((sum, { sinceMs }) => sum + nowMs - sinceMs, 0)
  }

  /** An encoder is paid for from when it is wanted. */
  #begin(wakeS) {
    this.#starting++
    const sinceMs = this.clock.nowMs()
    this.clock.after(wakeS * 1000, () => {
      this.#starting--
      this.ready.push({ inWork: 0, sinceMs, batcher: this.#batcher() })
      for (const go of this.#waiting.splice(0)) go()
    })
  }

  #end({ sinceMs, batcher }) {
    void batcher.close().then(() => {
      this.#paid += this.clock.nowMs() - sinceMs
    })
  }

  #batcher() {
    const { batch, maxWaitMs, maxBatch = MAX_BATCH.image } = this.setting
    return new Batcher({
      maxBatch,
      maxWaitMs,
      maxCost: MAX_COST.image,
      costOf: (cost) => cost,
      bucketOf: () => 0,
      sessions: new Turns([0]),
      clock: this.clock,
      run: async (items) => {
        this.batches.push(items.length)
        await this.clock.sleep(batch.fixedMs + batch.perInputMs * items.length)
        return items.map(() => ({ status: 'fulfilled', value: undefined }))
      },
    })
  }

  /** The least in work; if there is none, waits for one. */
  async #pick(deadlineMs) {
    while (this.ready.length === 0) {
      let isOver = false
      await new Promise((resolve) => {
        this.#waiting.push(resolve)
        this.clock.after(deadlineMs - 250 - this.clock.nowMs(), () => {
          isOver = true
          resolve()
        })
      })
      if (isOver && this.ready.length === 0) throw Object.assign(new Error('starting'), { code: 'encoder-starting' })
    }
    return this.ready.reduce((least, one) => (one.inWork < least.inWork ? one : least))
  }
}
