/**
 * The encoder as a service: a frame of samples in, a frame of their outcomes out, over HTTP/1.1 with kept connections.
 *
 *   POST /v1/run      secret ─► room? ─► body ─► the same model? ─► every sample to the encoder ─► 200 with outcomes
 *   GET  /v1/health   secret ─► what the model is, and how each kind of work fares
 *   GET  /metrics     secret ─► Prometheus
 *   GET  /livez, /readyz        open: 200 or 503, and nothing told
 *
 * A sample that fails, fails alone, in its outcome. What is refused as a whole is JSON `{code, message, retryAfterS?}` with a
 * status: 400 no frame, 401 secret, 404, 409 another model, 411 and 413 length, 503 overloaded or stopping. A sample is
 * dropped when its time is over or the connection is gone.
 */
import { once, setMaxListeners } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { DomainError } from '../../errors.ts'
import { Room } from '../../room.ts'
import type { Encoder } from '../encoder.ts'
import { type Health, KindsHealth } from './health.ts'
import { enter, Refusal, readBody, secretCheck } from './server-guards.ts'
import {
  CONTENT_TYPE,
  decodeRequest,
  encodeAnswer,
  PATHS,
  type Result,
  type RunRequest,
  type Sample,
  wireErrorOf,
} from './wire.ts'

export interface EncoderServerOptions {
  encoder: Encoder
  /** `sha256` is the bundle's hash. */
  model: { name: string; sha256: string }
  /** Who does not know it is told nothing. */
  secret: string
  /** Bytes of one request. */
  maxBodyBytes: number
  /** Requests, and bytes of their bodies, in work at once; what comes beyond is refused with 503. */
  maxRequests?: number
  maxBytes?: number
  metrics?: { contentType: string; text(): Promise<string> }
  /** Told of what is ours to mend. */
  log?: (message: string, error: unknown) => void
}

const MAX_REQUESTS = 128
const MAX_BYTES = 1024 * 1024 * 1024
/** Longer than clients keep an idle connection, so that they close it and never meet one that is just being closed. */
const KEEP_ALIVE_MS = 75_000
const RETRY_AFTER_S = 1

export class EncoderServer {
  readonly #options: EncoderServerOptions
  readonly #server: Server
  readonly #isAllowed: (headers: IncomingMessage['headers']) => boolean
  readonly #room: Room
  readonly #kinds: KindsHealth
  #stopping = false

  constructor(options: EncoderServerOptions) {
    this.#options = options
    this.#isAllowed = secretCheck(options.secret)
    this.#room = new Room(options.maxRequests ?? MAX_REQUESTS, options.maxBytes ?? MAX_BYTES)
    this.#kinds = new KindsHealth(options.encoder)
    this.#server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, (request, response) => {
      void this.#answer(request, response)
    })
  }

  /** @param port 0 for any free one. Rejects as `net.Server.listen` */
  async listen(port: number, host: string): Promise<AddressInfo> {
    this.#server.listen(port, host)
    await once(this.#server, 'listening')
    return this.#server.address() as AddressInfo
  }

  /** Refuses what comes, finishes what came. The encoder is its owner's to close. */
  async close(): Promise<void> {
    this.#stopping = true
    const closed = once(this.#server, 'close')
    this.#server.close()
    await this.#room.emptied()
    this.#server.closeAllConnections()
    await closed
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      await this.#route(request, response)
    } catch (error) {
      if (response.destroyed) return // nobody is there to be told
      const refusal = error instanceof Refusal ? error : new Refusal(500, { message: 'The encoder service failed.' })
      if (refusal !== error) this.#options.log?.('A request failed.', error)
      sendRefusal(refusal, request, response)
    }
  }

  async #route(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method, url } = request
    if (method === 'GET' && url === '/livez') return send(response, 200, 'text/plain', 'live\n')
    if (method === 'GET' && url === '/readyz') {
      const { state } = await this.#health()
      return send(response, state === 'ready' ? 200 : 503, 'text/plain', `${state}\n`)
    }
    if (!this.#isAllowed(request.headers)) {
      throw new Refusal(401, {
        message: 'The secret is not the one of this encoder service; set ENCODER_SECRET alike.',
      })
    }
    if (method === 'POST' && url === PATHS.run) return this.#run(request, response)
    if (method === 'GET' && url === PATHS.health) {
      return send(response, 200, 'application/json', JSON.stringify(await this.#health()))
    }
    const { metrics } = this.#options
    if (metrics && method === 'GET' && url === '/metrics') {
      return send(response, 200, metrics.contentType, await metrics.text())
    }
    throw new Refusal(404, { message: `This encoder service has no ${method} ${url?.split('?', 1)[0]}.` })
  }

  async #run(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { maxBodyBytes } = this.#options
    if (this.#stopping) throw unavailable('The encoder service is shutting down.')
    const length = Number(request.headers['content-length'] ?? Number.NaN)
    if (!Number.isSafeInteger(length)) throw new Refusal(411, { message: 'A request must say how long it is.' })
    if (length > maxBodyBytes) {
      throw new Refusal(413, { message: `The request has ${length} bytes; this service takes ${maxBodyBytes}.` })
    }
    const leave = enter(this.#room, length)
    try {
      const run = decoded(await readBody(request, length))
      this.#assertModel(run.model)
      const outcomes = await this.#perform(run, goneSignal(response))
      send(response, 200, CONTENT_TYPE, encodeAnswer(outcomes))
    } finally {
      leave()
    }
  }

  #assertModel(sha256: string): void {
    const { model } = this.#options
    if (sha256 === model.sha256) return
    throw new Refusal(409, { message: `This encoder service runs the model ${model.name} (${short(model.sha256)}).` })
  }

  #perform({ head, samples }: RunRequest, gone: AbortSignal): Promise<PromiseSettledResult<Result>[]> {
    return Promise.allSettled(
      samples.map(async (sample) => {
        const signal = signalOf(sample, gone)
        if (head !== undefined) {
          return this.#kinds.watch('head', this.#options.encoder.runHead(head, sample.inputs, signal))
        }
        const [input, ...more] = Object.values(sample.inputs)
        if (input === undefined || more.length > 0) throw new TypeError('A sample to embed has one input.')
        return this.#kinds.watch(input.modality, this.#options.encoder.encode(input, signal))
      }),
    )
  }

  async #health(): Promise<Health> {
    const health = await this.#kinds.now()
    return { protocol: 1, model: this.#options.model, ...health, ...(this.#stopping && { state: 'stopping' as const }) }
  }
}

function decoded(body: Uint8Array): RunRequest {
  try {
    return decodeRequest(body)
  } catch (error) {
    throw new Refusal(400, { message: (error as Error).message })
  }
}

function signalOf({ timeoutMs }: Sample, gone: AbortSignal): AbortSignal {
  return timeoutMs === undefined ? gone : AbortSignal.any([gone, AbortSignal.timeout(timeoutMs)])
}

/** Fires if the client hangs up before it has its answer. */
function goneSignal(response: ServerResponse): AbortSignal {
  const gone = new AbortController()
  setMaxListeners(0, gone.signal) // each sample listens; Node warns of more than ten
  response.once('close', () => {
    if (!response.writableFinished) gone.abort(new DomainError('deadline-exceeded', 'The client has gone.'))
  })
  if (response.destroyed) gone.abort(new DomainError('deadline-exceeded', 'The client has gone.'))
  return gone.signal
}

function unavailable(message: string): Refusal {
  return new Refusal(503, wireErrorOf(new DomainError('encoder-unavailable', message, { retryAfterS: RETRY_AFTER_S })))
}

/** First characters of a hash, as people compare them. */
const short = (sha256: string): string => sha256.slice(0, 12)

function send(response: ServerResponse, status: number, type: string, body: string | Buffer): void {
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body) })
  response.end(body)
}

/** A body that nobody will read ends the connection. */
function sendRefusal({ status, error }: Refusal, request: IncomingMessage, response: ServerResponse): void {
  if (response.headersSent || response.destroyed) return void response.destroy()
  if (!request.complete) response.setHeader('connection', 'close')
  if (error.retryAfterS !== undefined) response.setHeader('retry-after', error.retryAfterS)
  send(response, status, 'application/json', JSON.stringify(error))
}
