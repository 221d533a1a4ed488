/**
 * What a request spends its time on. In: `stage('decode', work)` anywhere below its handler. Out: ms a stage for
 * `server-timing`, and a span a stage where traces are sent (without a collector OpenTelemetry's spans are no-ops).
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import {
  type Attributes,
  type Context,
  context,
  propagation,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api'

/**
 * `fetch` from an address, `decode` and resample, `encode` (its wait in the queue included), of it `encode_local` of texts that no
 * encoder service was there for, `store` of vectors and originals.
 */
export type Stage = 'fetch' | 'decode' | 'encode' | 'encode_local' | 'store'

const TRACER = 'onepeace'
const current = new AsyncLocalStorage<RequestTrace>()

export class RequestTrace {
  readonly #times = new Map<Stage, StageClock>()
  readonly #context: Context
  readonly #span: Span

  /**
   * @param method,route as the contract writes them
   * @param headers where the caller's `traceparent` is, if it traces (W3C Trace Context)
   */
  static ofRequest(method: string, route: string, headers: Record<string, unknown>): RequestTrace {
    const parent = propagation.extract(context.active(), headers)
    const attributes = { 'http.request.method': method, 'http.route': route }
    const span = trace.getTracer(TRACER).startSpan(`${method} ${route}`, { kind: SpanKind.SERVER, attributes }, parent)
    return new RequestTrace(trace.setSpan(parent, span), span)
  }

  private constructor(parent: Context, span: Span) {
    this.#context = parent
    this.#span = span
  }

  /** Stages in what `task` begins count for this request. */
  run<T>(task: () => T): T {
    return current.run(this, task)
  }

  /** ms in which a stage was at work, however often at once, in order of first use. */
  get times(): [Stage, number][] {
    return [...this.#times].map(([stage, clock]) => [stage, clock.ms])
  }

  /** @param problem code of the problem it was answered with, if it was */
  end(status: number, problem?: string): void {
    this.#span.setAttribute('http.response.status_code', status)
    if (problem !== undefined) this.#span.setAttribute('error.type', problem)
    if (status >= 500) this.#span.setStatus({ code: SpanStatusCode.ERROR })
    this.#span.end()
  }

  async measure<T>(stage: Stage, task: () => Promise<T>, attributes?: Attributes): Promise<T> {
    const clock = this.#times.get(stage) ?? new StageClock()
    this.#times.set(stage, clock)
    const span = trace.getTracer(TRACER).startSpan(stage, { ...(attributes && { attributes }) }, this.#context)
    clock.begin()
    try {
      return await task()
    } catch (error) {
      span.setStatus({ code: SpanStatusCode.ERROR })
      throw error
    } finally {
      clock.end()
      span.end()
    }
  }
}

/** Runs `task` as a stage of the request it belongs to; outside of any, just runs it. */
export function stage<T>(name: Stage, task: () => Promise<T>, attributes?: Attributes): Promise<T> {
  return current.getStore()?.measure(name, task, attributes) ?? task()
}

/** Time in which at least one was running. */
class StageClock {
  #ms = 0
  #running = 0
  #since = 0

  begin(): void {
    if (this.#running++ === 0) this.#since = performance.now()
  }

  end(): void {
    if (--this.#running === 0) this.#ms += performance.now() - this.#since
  }

  get ms(): number {
    return this.#ms + (this.#running > 0 ? performance.now() - this.#since : 0)
  }
}
