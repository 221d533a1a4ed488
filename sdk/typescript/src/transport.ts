/**
 * Sends requests: the key, time limits, abort signals, and retries. Every request may be repeated without harm, as it reads, is
 * idempotent, or bears an `Idempotency-Key`; so it is tried again after a 429, 502 or 503 and after a lost connection. The wait
 * is what `Retry-After` says, else grows from half a second.
 */
import createClient from 'openapi-fetch'
import type { paths } from './contract.ts'
import { errorOf, OnepeaceError } from './errors.ts'

export interface RequestOptions {
  /** Gives the request up; the promise rejects with the signal's reason. */
  signal?: AbortSignal
  /** For the whole call, retries included; the service is told, and drops what nobody waits for. None by default. */
  timeoutMs?: number
  /** How often to try again; 2 by default. */
  maxRetries?: number
}

export interface WriteOptions extends RequestOptions {
  /** Names this write, so that it happens once however often it is sent; a random one by default. */
  idempotencyKey?: string
}

export interface ClientOptions extends Omit<RequestOptions, 'signal'> {
  /** Address of the service; `http://127.0.0.1:8080` by default. */
  url?: string | undefined
  /** A key made by `onepeace keys create`, if the service asks for one. */
  apiKey?: string | undefined
  /** Sent with every request. */
  headers?: Record<string, string>
  /** In place of the global `fetch`. */
  fetch?: (request: Request) => Promise<Response>
}

/** What an attempt adds to its request. */
export type Init = { signal?: AbortSignal; headers: Record<string, string> }

interface Answer<T> {
  data?: T
  error?: unknown
  response: Response
}

const DEFAULT_URL = 'http://127.0.0.1:8080'
const DEFAULT_MAX_RETRIES = 2
/** A wait that the service asks for is kept up to this; beyond it the error is the caller's to see. */
const MAX_WAIT_MS = 60_000
const FIRST_WAIT_MS = 500
/** Too many requests; a gateway that reached no service; a service that cannot work now. */
const WORTH_ANOTHER_TRY = [429, 502, 503]
/** The contract's bound of `x-timeout-ms`. */
const MAX_TIMEOUT_HEADER_MS = 600_000
/** The service says itself that time is up, in a problem; this long it may take to arrive. */
const GRACE_MS = 1000

export class Transport {
  /** Every operation of the contract, typed by it, without retries. */
  readonly api: ReturnType<typeof createClient<paths>>
  readonly #defaults: RequestOptions
  readonly #url: string
  readonly #headers: Record<string, string>
  readonly #fetch: (request: Request) => Promise<Response>

  constructor({ url = DEFAULT_URL, apiKey, headers, fetch, ...defaults }: ClientOptions) {
    this.#defaults = defaults
    this.#url = url
    this.#headers = { ...headers, ...(apiKey !== undefined && { authorization: `Bearer ${apiKey}` }) }
    this.#fetch = fetch ?? ((request) => globalThis.fetch(request))
    this.api = createClient<paths>({
      baseUrl: url,
      headers: this.#headers,
      ...(fetch && { fetch }),
    })
  }

  /**
   * @param attempt makes one request; called again for each retry
   * @throws ProblemError, OnepeaceError; the reason of the signal; `TimeoutError`; what `fetch` throws if there is no connection
   */
  async send<T>(options: RequestOptions, attempt: (init: Init) => Promise<Answer<T>>): Promise<T> {
    const { signal, timeoutMs } = { ...this.#defaults, ...options }
    const deadline = timeoutMs === undefined ? undefined : performance.now() + timeoutMs
    const timer = timeoutMs === undefined ? undefined : AbortSignal.timeout(timeoutMs + GRACE_MS)
    const abort = signal && timer ? AbortSignal.any([signal, timer]) : (signal ?? timer)
    for (let tries = 0; ; tries++) {
      const failure = await tryOnce(attempt, initOf(abort, deadline), abort)
      if ('data' in failure) return failure.data as T
      const waitMs = waitBefore(failure.error, tries)
      const isTooLate = deadline !== undefined && performance.now() + (waitMs ?? 0) >= deadline
      if (waitMs === undefined || tries >= this.retriesOf(options) || isTooLate) throw failure.error
      await sleep(waitMs, abort)
    }
  }

  /** One attempt to send a file where the service said: elsewhere without the key, or to a path of the service itself. */
  async put(to: string, headers: Record<string, string>, body: Blob, init: Init): Promise<Answer<true>> {
    const isElsewhere = /^https?:/.test(to)
    const own = isElsewhere ? {} : { ...this.#headers, ...init.headers }
    const url = isElsewhere ? to : this.#url.replace(/\/+$/, '') + to
    const request = new Request(url, { ...init, method: 'PUT', headers: { ...own, ...headers }, body })
    const response = await this.#fetch(request)
    const text = await response.text()
    return { response, data: true, ...(response.ok ? {} : { error: jsonOf(text) }) }
  }

  /** How often a request is tried again. */
  retriesOf({ maxRetries }: RequestOptions): number {
    return maxRetries ?? this.#defaults.maxRetries ?? DEFAULT_MAX_RETRIES
  }
}

/** What a storage answers is often XML. */
function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** The caller's, or 128 random bits: `crypto.randomUUID` is missing from pages without TLS. */
export function writeKeyOf({ idempotencyKey }: WriteOptions): string {
  const bytes = () => Array.from(crypto.getRandomValues(new Uint8Array(16)))
  const hex = (byte: number) => byte.toString(16).padStart(2, '0')
  return idempotencyKey ?? bytes().map(hex).join('')
}

async function tryOnce<T>(attempt: (init: Init) => Promise<Answer<T>>, init: Init, abort: AbortSignal | undefined) {
  try {
    const { data, error, response } = await attempt(init)
    return response.ok ? { data } : { error: errorOf(response, error) }
  } catch (error) {
    abort?.throwIfAborted()
    return { error }
  }
}

function initOf(signal: AbortSignal | undefined, deadline: number | undefined): Init {
  signal?.throwIfAborted()
  if (deadline === undefined) return { headers: {}, ...(signal && { signal }) }
  const leftMs = Math.min(MAX_TIMEOUT_HEADER_MS, Math.max(1, Math.floor(deadline - performance.now())))
  return { headers: { 'x-timeout-ms': String(leftMs) }, ...(signal && { signal }) }
}

/** Milliseconds to wait before trying again, or undefined where that makes no sense. */
function waitBefore(error: unknown, tries: number): number | undefined {
  const growing = FIRST_WAIT_MS * 2 ** tries * (0.75 + Math.random() / 2)
  if (error instanceof OnepeaceError) {
    if (!WORTH_ANOTHER_TRY.includes(error.status)) return undefined
    const waitMs = error.retryAfterMs ?? growing
    return waitMs <= MAX_WAIT_MS ? waitMs : undefined
  }
  // `fetch` rejects with a TypeError when there is no answer.
  return error instanceof TypeError ? growing : undefined
}

function sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const giveUp = () => {
      clearTimeout(timer)
      reject(signal?.reason)
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', giveUp)
      resolve()
    }, ms)
    signal?.addEventListener('abort', giveUp, { once: true })
  })
}
