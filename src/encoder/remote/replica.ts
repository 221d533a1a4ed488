/**
 * One encoder service, seen from the API: its connections, how much it was given, and whether it is well.
 *
 * A probe asks for its health every second. It tells a process that hangs (its event loop stopped, its machine gone) from one
 * that is busy, whose work may take its time: what was given to one that misses two probes is taken back. The probe is also
 * what closes the breaker again, so that no request has to try whether a replica is back.
 */
import { Pool } from 'undici'
import { DomainError } from '../../errors.ts'
import type { Kind } from '../encoder.ts'
import { Breaker } from './breaker.ts'
import type { Health } from './health.ts'
import { answerOf, misfit, NOBODY_BEHIND, refusalOf, throttled, unwell, wasReached } from './no-answer.ts'
import { type Reach, reachOf } from './reach.ts'
import { CONTENT_TYPE, decodeAnswer, errorOf, PATHS, type Result, SECRET_HEADER } from './wire.ts'

export interface ReplicaOptions {
  secret: string
  /** Name and hash of the bundle that this side has. */
  model: { name: string; sha256: string }
  /** Time between two probes, and that one may take; defaults 1000 and 2000 ms. */
  probeEveryMs?: number
  probeTimeoutMs?: number
  /** By default as its address tells. */
  reach?: Reach
}

/**
 * What came of a request.
 *   answered     an outcome a sample
 *   refused      by the service as a whole; another may take it
 *   lost         the connection ended or the replica hung, after the request may have been begun
 *   unreached    the replica was never reached
 */
export type Reply =
  | { kind: 'answered'; outcomes: PromiseSettledResult<Result>[] }
  | { kind: 'refused' | 'lost' | 'unreached'; error: Error }

const PROBE_EVERY_MS = 1000
const PROBE_TIMEOUT_MS = 2000
const CONNECT_TIMEOUT_MS = 2000
/** More than requests in work at once, so that a probe never waits for one. */
const CONNECTIONS = 64
const MISSED_PROBES = 2

export class Replica {
  /** Samples given to it and not yet answered. */
  inWork = 0
  readonly #pool: Pool
  readonly #breaker = new Breaker()
  readonly #options: ReplicaOptions
  readonly #probing: NodeJS.Timeout | undefined
  readonly reach: Reach
  #health: Health | undefined
  /** Why it is not used, as people are told it. */
  #reason: string | undefined
  #missed = 0
  #isAsleep = false
  #probe: Promise<void> | undefined
  readonly #running = new Set<AbortController>()

  /** @param url http(s) address of the service */
  constructor(
    readonly url: string,
    options: ReplicaOptions,
  ) {
    this.#options = options
    this.reach = options.reach ?? reachOf(url)
    this.#pool = new Pool(new URL(url).origin, {
      connections: CONNECTIONS,
      connect: { timeout: CONNECT_TIMEOUT_MS },
      headersTimeout: 0, // the work may take its time: probes tell whether the service is alive
      bodyTimeout: 0,
    })
    if (!this.reach.isProbed) return
    this.#probing = setInterval(() => void this.probe(), options.probeEveryMs ?? PROBE_EVERY_MS).unref()
  }

  get state(): Breaker['state'] {
    return this.#breaker.state
  }

  get isReady(): boolean {
    return this.state === 'closed' && (!this.reach.isProbed || this.#health?.state === 'ready')
  }

  /** Whether nothing was there to answer, or it is still opening its model. */
  get isAsleep(): boolean {
    return this.#isAsleep || this.#health?.state === 'starting'
  }

  /** Whether it may be given work of this kind before others. */
  isFit(kind: Kind): boolean {
    return this.isReady && this.#health?.kinds[kind]?.state !== 'failing'
  }

  /** One sentence without its address, which is not the clients' to know. */
  get reason(): string {
    if (this.#reason !== undefined) return this.#reason
    return this.#health?.state === 'starting' ? 'It is still opening its model.' : 'It was not asked yet.'
  }

  /** Runs a frame of `count` samples. Never rejects, unless `signal` fires: then with its reason. */
  async run(frame: Buffer, count: number, signal: AbortSignal): Promise<Reply> {
    const control = new AbortController()
    this.#running.add(control)
    this.inWork += count
    try {
      const reply = await this.#request(frame, count, AbortSignal.any([signal, control.signal]))
      this.#learn(reply)
      return reply
    } catch (error) {
      signal.throwIfAborted()
      const reply = { kind: wasReached(error) ? 'lost' : 'unreached', error: unwell(error) } as const
      this.#reason = reply.error.message
      this.#isAsleep = reply.kind === 'unreached'
      this.#breaker.trip()
      return reply
    } finally {
      this.#running.delete(control)
      this.inWork -= count
    }
  }

  /** Asks for its health; one question at a time. Never rejects. */
  probe(): Promise<void> {
    this.#probe ??= this.#ask().finally(() => {
      this.#probe = undefined
    })
    return this.#probe
  }

  async close(): Promise<void> {
    clearInterval(this.#probing)
    await this.#pool.destroy()
  }

  async #request(frame: Buffer, count: number, signal: AbortSignal): Promise<Reply> {
    const headers = await this.#headers('POST', PATHS.run, frame)
    const { statusCode, body } = await this.#pool.request({
      method: 'POST',
      path: PATHS.run,
      headers,
      body: frame,
      signal,
    })
    if (statusCode === 200) return { kind: 'answered', outcomes: decodeAnswer(await body.bytes(), count) }
    const error = await refusalOf(statusCode, body)
    if (statusCode === 429) return { kind: 'refused', error: throttled() }
    if (statusCode === 503) return { kind: 'refused', error: errorOf(error) }
    // No other replica would take it either: it is ours to mend.
    if (statusCode === 400 || statusCode === 413) return { kind: 'refused', error: new Error(error.message) }
    return { kind: 'refused', error: misfit(error.message) }
  }

  #learn(reply: Reply): void {
    if (reply.kind === 'answered') {
      this.#isAsleep = false
      if (reply.outcomes.every(isUnavailable)) this.#breaker.failed()
      else this.#breaker.succeeded()
    } else if (codeOf(reply.error) === 'encoder-unavailable') {
      this.#reason = reply.error.message
      this.#breaker.trip()
    }
  }

  async #ask(): Promise<void> {
    const signal = AbortSignal.timeout(this.#options.probeTimeoutMs ?? PROBE_TIMEOUT_MS)
    try {
      const headers = await this.#headers('GET', PATHS.health)
      const { statusCode, body } = await this.#pool.request({ method: 'GET', path: PATHS.health, headers, signal })
      const answer = await answerOf(statusCode, body)
      this.#missed = 0
      this.#isAsleep = NOBODY_BEHIND.includes(statusCode) && answer.protocol === undefined
      this.#health = statusCode === 200 ? (answer as Health) : undefined
      this.#reason = this.#health ? this.#misfitOf(this.#health) : answer.message
      if (this.#reason === undefined) this.#breaker.succeeded()
      else this.#breaker.trip()
    } catch (error) {
      this.#miss(error)
    }
  }

  /** Why a service that answered cannot be used. */
  #misfitOf({ protocol, model, state, reason }: Health): string | undefined {
    const mine = this.#options.model
    if (protocol !== 1) return 'It speaks another version of the encoder protocol; run the same release on both sides.'
    if (model.sha256 !== mine.sha256) {
      const theirs = `${model.name} (${model.sha256.slice(0, 12)})`
      return `It runs the model ${theirs}, and this service has ${mine.name} (${mine.sha256.slice(0, 12)}); give both the same bundle.`
    }
    if (state === 'stopping') return 'It is shutting down.'
    return state === 'failing' ? (reason ?? 'It is failing.') : undefined
  }

  #miss(error: unknown): void {
    const reason = unwell(error)
    this.#reason = reason.message
    this.#health = undefined
    this.#isAsleep = true
    this.#breaker.trip()
    if (++this.#missed < MISSED_PROBES) return
    for (const control of this.#running) control.abort(reason)
  }

  /** A signature takes the place of the secret in `authorization`. */
  async #headers(method: 'GET' | 'POST', path: string, body?: Buffer): Promise<Record<string, string>> {
    const { secret } = this.#options
    const type = body && { 'content-type': CONTENT_TYPE }
    if (this.reach.sign === undefined) return { authorization: `Bearer ${secret}`, ...type }
    const headers = { [SECRET_HEADER]: secret, ...type }
    return this.reach.sign({ method, path, headers, ...(body && { body }) })
  }
}

const codeOf = (error: unknown) => (error instanceof DomainError ? error.code : undefined)

function isUnavailable(outcome: PromiseSettledResult<Result>): boolean {
  return outcome.status === 'rejected' && codeOf(outcome.reason) === 'encoder-unavailable'
}
