/**
 * What is told of each request, to whom: its stages to `server-timing` and the trace, its duration to the metrics, one line to
 * the log. None of it bears a body, a header, a query string or an item's id: routes are told as the contract writes them.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { RequestTrace } from '../../telemetry/request-trace.ts'
import type { Metrics } from '../metrics.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Code of the problem it was answered with, if it was. */
    problemCode?: string
    /** Handlers run within it. */
    trace: RequestTrace
  }
}

export function registerObservation(app: FastifyInstance, metrics: Metrics): void {
  // biome-ignore lint/suspicious/noExplicitAny: a decorator must be declared before it has a value
  app.decorateRequest('trace', null as any)
  app.addHook('onRequest', async (request, reply) => {
    metrics.requestBegan()
    request.trace = RequestTrace.ofRequest(request.method, routeOf(request), request.headers)
    // Not `onResponse`, which never comes where the client has gone before its answer.
    reply.raw.once('close', () => ended(request, reply, metrics))
  })
  app.addHook('onSend', async (request, reply) => {
    reply.header('server-timing', serverTimingOf(request.trace, reply.elapsedTime))
  })
}

function ended(request: FastifyRequest, reply: FastifyReply, metrics: Metrics): void {
  const { method, problemCode, trace } = request
  const status = reply.raw.writableEnded ? reply.statusCode : CLIENT_GONE
  metrics.requestEnded(method, routeOf(request), status, reply.elapsedTime, problemCode)
  trace.end(status, problemCode)
  request.log.info(
    {
      method,
      route: routeOf(request),
      status,
      ms: rounded(reply.elapsedTime),
      stages: Object.fromEntries(trace.times.map(([name, ms]) => [name, rounded(ms)])),
      ...(problemCode !== undefined && { problem: problemCode }),
      ...(request.caller?.keyId !== undefined && { key: request.caller.keyId }),
    },
    'request',
  )
}

/** As proxies log it: the client closed the connection. No answer ever bears it. */
const CLIENT_GONE = 499

/** As the contract writes it; a path of a stranger's making would be a label of its own each time. */
function routeOf(request: FastifyRequest): string {
  return request.routeOptions.url?.replace(/:(\w+)/g, '{$1}') ?? 'unmatched'
}

/** ms of each stage and of all, https://www.w3.org/TR/server-timing/; stages overlap where inputs are worked on side by side. */
function serverTimingOf(trace: RequestTrace | null, totalMs: number): string {
  const stages = trace?.times ?? []
  return [...stages, ['total', totalMs] as const].map(([name, ms]) => `${name};dur=${ms.toFixed(1)}`).join(', ')
}

function rounded(ms: number): number {
  return Math.round(ms * 10) / 10
}
