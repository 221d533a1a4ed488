/**
 * The right to change how the store lies, for one process at a time: a point in a collection of its own.
 *
 *   taken      inserted, if it is not there            insert_only, then read back: the first wins
 *   kept       `beat` renewed every third of its time  if it is still ours
 *   taken over if its `beat` stood still for its time  if it is still that `beat`
 *
 * Whoever waits measures on its own clock how long the beat stood still: no two machines' clocks are compared. One write to one
 * point is one step in Qdrant, and its condition is asked in the same step.
 */
import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'
import { DomainError } from '../errors.ts'
import type { QdrantFilter } from './qdrant-filter.ts'
import type { QdrantServer } from './qdrant-server.ts'

const COLLECTION = '.lock'
const POINT = '00000000-0000-8000-8000-000000000001'

export interface LockTimes {
  /** ms without a sign of life after which a holder counts as dead. */
  lifeMs: number
  /** ms to wait for a living holder. */
  patienceMs: number
}

export const LOCK_TIMES: LockTimes = { lifeMs: 30_000, patienceMs: 60_000 }

interface Holder {
  owner: string
  beat: string
  host: string
  pid: number
  life_ms: number
}

export class QdrantLock {
  readonly #server: QdrantServer
  readonly #times: LockTimes
  readonly #owner = randomUUID()

  constructor(server: QdrantServer, times: LockTimes = LOCK_TIMES) {
    this.#server = server
    this.#times = times
  }

  /** @throws DomainError `vector-store-unavailable` if another holds it for too long */
  async run<T>(task: (signal: AbortSignal) => Promise<T>): Promise<T> {
    await this.#server.createCollection(COLLECTION, { unused: 1 }, {})
    await this.#acquire()
    const lost = new AbortController()
    const done = new AbortController()
    const keeping = this.#keep(lost, done.signal)
    try {
      return await task(lost.signal)
    } finally {
      done.abort()
      await keeping
      const isOurs = { must: [{ key: 'owner', match: { value: this.#owner } }] }
      // Should it not go now, it does when its time is over.
      await this.#server.points.write(COLLECTION, [{ delete: { filter: isOurs } }]).catch(() => undefined)
    }
  }

  async #acquire(): Promise<void> {
    const began = performance.now()
    const pauseMs = this.#times.lifeMs / 20
    let seen = { beat: '', stillMs: 0, at: began }
    for (;;) {
      const holder = await this.#take(seen.stillMs > this.#times.lifeMs ? seen.beat : undefined)
      if (holder === undefined || holder.owner === this.#owner) return
      const now = performance.now()
      // A waiter that itself stood still saw nothing: only what it looked at counts.
      const lookedMs = Math.min(now - seen.at, 2 * pauseMs)
      seen = { beat: holder.beat, stillMs: seen.beat === holder.beat ? seen.stillMs + lookedMs : 0, at: now }
      if (now - began > this.#times.patienceMs) throw busy(holder)
      await pause(pauseMs * (0.5 + Math.random()))
    }
  }

  /** @param dead the beat of a holder that may be replaced. @returns who holds it now */
  async #take(dead: string | undefined): Promise<Holder | undefined> {
    if (dead === undefined) await this.#put({ update_mode: 'insert_only' })
    else await this.#put({ update_filter: { must: [{ key: 'beat', match: { value: dead } }] } })
    return this.#holder()
  }

  async #keep(lost: AbortController, done: AbortSignal): Promise<void> {
    let alive = performance.now()
    while (!done.aborted && !lost.signal.aborted) {
      await pause(this.#times.lifeMs / 3, undefined, { signal: done }).catch(() => undefined)
      if (done.aborted) return
      const isOurs = { must: [{ key: 'owner', match: { value: this.#owner } }] }
      const renewed = this.#put({ update_mode: 'update_only', update_filter: isOurs }).then(() => this.#holder())
      const holder = await renewed.catch(() => 'unreachable' as const)
      if (holder !== 'unreachable' && holder?.owner === this.#owner) alive = performance.now()
      else if (holder !== 'unreachable' || performance.now() - alive > this.#times.lifeMs) lost.abort(lostIt())
    }
  }

  #put(condition: { update_mode?: 'insert_only' | 'update_only'; update_filter?: QdrantFilter }): Promise<void> {
    const holder: Holder = {
      owner: this.#owner,
      beat: randomUUID(),
      host: hostname(),
      pid: process.pid,
      life_ms: this.#times.lifeMs,
    }
    const points = [{ id: POINT, vector: {}, payload: { ...holder } }]
    return this.#server.points.write(COLLECTION, [{ upsert: { points, ...condition } }])
  }

  async #holder(): Promise<Holder | undefined> {
    return (await this.#server.points.payload(COLLECTION, POINT)) as unknown as Holder | undefined
  }
}

function busy({ host, pid }: Holder): DomainError {
  const message = `Process ${pid} on ${host} is changing the store (migrate or reembed); try again when it is done.`
  return new DomainError('vector-store-unavailable', message, { retryAfterS: 30 })
}

function lostIt(): DomainError {
  const message = 'Another process took over, as this one gave no sign of life for too long; run the command again.'
  return new DomainError('vector-store-unavailable', message)
}
