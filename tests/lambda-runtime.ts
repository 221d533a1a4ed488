/** Lambda's runtime interface, as a function meets it: hands out one event at a time, and keeps what is answered. */
import { createServer, type IncomingHttpHeaders } from 'node:http'
import { buffer } from 'node:stream/consumers'

export interface Answer {
  /** `response` or `error`. */
  kind: string
  headers: IncomingHttpHeaders
  body: Buffer
  /** When each part of the body came, in order. */
  parts: string[]
}

export interface FakeRuntime {
  /** For `AWS_LAMBDA_RUNTIME_API`. */
  api: string
  /** Hands an event to the function. @param leftMs of the function's time */
  invoke(event: unknown, leftMs?: number): Promise<Answer>
  /** Parts of a streamed answer as they come. */
  onPart(listener: (part: string) => void): void
  close(): Promise<void>
}

export async function startRuntime(): Promise<FakeRuntime> {
  const waiting: { event: unknown; leftMs: number; resolve: (answer: Answer) => void }[] = []
  const running = new Map<string, (answer: Answer) => void>()
  let wake = () => {}
  let ids = 0
  let listener: (part: string) => void = () => {}
  const next = async () => {
    while (waiting.length === 0) await new Promise<void>((resolve) => (wake = resolve))
    return waiting.shift()!
  }
  const server = createServer(async (request, response) => {
    if (request.url === '/2018-06-01/runtime/invocation/next') {
      const { event, leftMs, resolve } = await next()
      const id = `8476a536-e9f4-11e8-9739-2dfe598c3fc${ids++ % 10}`
      running.set(id, resolve)
      response.setHeader('lambda-runtime-aws-request-id', id)
      response.setHeader('lambda-runtime-deadline-ms', Date.now() + leftMs)
      return response.end(JSON.stringify(event))
    }
    const [, id, kind] = /^\/2018-06-01\/runtime\/invocation\/([\w-]+)\/(response|error)$/.exec(request.url!)!
    const parts: string[] = []
    request.on('data', (part: Buffer) => {
      parts.push(part.toString())
      listener(part.toString())
    })
    const body = await buffer(request)
    response.writeHead(202).end('{"status":"OK"}')
    running.get(id!)!({ kind: kind!, headers: request.headers, body, parts })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  return {
    api: `127.0.0.1:${port}`,
    invoke: (event, leftMs = 29_000) =>
      new Promise((resolve) => {
        waiting.push({ event, leftMs, resolve })
        wake()
      }),
    onPart: (given) => {
      listener = given
    },
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
