/** Tells the metrics of each request: when it came, and how it was answered. */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Metrics } from '../metrics.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Code of the problem it was answered with, if it was. */
    problemCode?: string
  }
}

export function registerObservation(app: FastifyInstance, metrics: Metrics): void {
  app.addHook('onRequest', async (request, reply) => {
    metrics.requestBegan()
    // Not `onResponse`, which never comes where the client has gone before its answer.
    reply.raw.once('close', () => {
      const status = reply.raw.writableEnded ? reply.statusCode : CLIENT_GONE
      metrics.requestEnded(request.method, routeOf(request), status, reply.elapsedTime, request.problemCode)
    })
  })
}

/** As proxies log it: the client closed the connection. No answer ever bears it. */
const CLIENT_GONE = 499

/** As the contract writes it; a path of a stranger's making would be a label of its own each time. */
function routeOf(request: FastifyRequest): string {
  return request.routeOptions.url?.replace(/:(\w+)/g, '{$1}') ?? 'unmatched'
}
