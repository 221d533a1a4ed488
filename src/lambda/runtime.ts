/**
 * The loop of a Lambda function, over Lambda's runtime interface (https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html):
 *
 *   GET next ─► event ─► request on loopback ─► answer ─┬─ function URL: POST response, streamed
 *      ▲                                                └─ API Gateway:  POST response, one JSON
 *      └──────────────────────────────────────────────────┘
 *
 * A function has one event at a time; Lambda starts more of them for more. Between events the process is frozen.
 */
import { type IncomingMessage, request } from 'node:http'
import { buffer, text } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { type HttpEvent, headOf, isFromFunctionUrl, isHttpEvent, requestOf, resultOf } from './http-event.ts'
import { askLocally } from './local-service.ts'

interface Invocation {
  id: string
  /** ms since 1970 when the function's time is over. */
  deadlineMs: number
  event: unknown
}

class UnsupportedEvent extends Error {
  override name = 'UnsupportedEvent'
  constructor() {
    super('This function takes events of an HTTP API (payload format 2.0) and of a function URL, and no others.')
  }
}

const PREFIX = '/2018-06-01/runtime'

export class LambdaRuntime {
  /**
   * @param api host and port of the runtime interface, `AWS_LAMBDA_RUNTIME_API`
   * @param port of the service on loopback
   */
  constructor(
    private readonly api: string,
    private readonly port: number,
  ) {}

  /** Goes on until the process ends; rejects if Lambda cannot be reached. */
  async run(): Promise<never> {
    for (;;) await this.once()
  }

  /** Takes one event and answers it. */
  async once(): Promise<void> {
    const invocation = await this.#next()
    try {
      await this.#answer(invocation)
    } catch (error) {
      await this.#fail(invocation.id, error as Error)
    }
  }

  async #answer({ id, deadlineMs, event }: Invocation): Promise<void> {
    if (!isHttpEvent(event)) throw new UnsupportedEvent()
    const asked = requestOf(event, deadlineMs - Date.now(), id)
    const answer = await askLocally(this.port, asked)
    if (isFromFunctionUrl(event)) await this.#stream(id, answer)
    else await this.#send(id, event, answer)
  }

  async #next(): Promise<Invocation> {
    const answer = await this.#call('GET', '/invocation/next')
    const event = JSON.parse(await text(answer)) as unknown
    const { 'lambda-runtime-aws-request-id': id, 'lambda-runtime-deadline-ms': deadlineMs } = answer.headers
    return { id: String(id), deadlineMs: Number(deadlineMs), event }
  }

  async #send(id: string, { rawPath: path }: HttpEvent, answer: IncomingMessage): Promise<void> {
    const result = resultOf(answer.statusCode!, answer.headers, await buffer(answer), { id, path })
    await this.#post(`/invocation/${id}/response`, JSON.stringify(result))
  }

  async #stream(id: string, answer: IncomingMessage): Promise<void> {
    const sent = this.#request('POST', `/invocation/${id}/response`, {
      'lambda-runtime-function-response-mode': 'streaming',
      'content-type': 'application/vnd.awslambda.http-integration-response',
      'transfer-encoding': 'chunked',
    })
    sent.call.write(JSON.stringify(headOf(answer.statusCode!, answer.headers)))
    sent.call.write(Buffer.alloc(8))
    await pipeline(answer, sent.call)
    ;(await sent.answer).resume()
  }

  /** Of an answer that broke off while it was streamed, Lambda knows; it refuses to be told twice, which is no matter. */
  async #fail(id: string, { name: errorType, message: errorMessage }: Error): Promise<void> {
    await this.#post(`/invocation/${id}/error`, JSON.stringify({ errorType, errorMessage }))
  }

  async #post(path: string, json: string): Promise<void> {
    ;(await this.#call('POST', path, json)).resume()
  }

  #call(method: string, path: string, json?: string): Promise<IncomingMessage> {
    const headers =
      json === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(json) }
    const { call, answer } = this.#request(method, path, headers)
    call.end(json)
    return answer
  }

  #request(method: string, path: string, headers: Record<string, string | number>) {
    const call = request(`http://${this.api}${PREFIX}${path}`, { method, headers })
    const answer = new Promise<IncomingMessage>((resolve, reject) => call.on('response', resolve).on('error', reject))
    answer.catch(() => {}) // who streams learns it from the stream first
    return { call, answer }
  }
}
