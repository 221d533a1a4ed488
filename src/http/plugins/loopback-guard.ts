/**
 * A service without keys on loopback is open to whoever runs on this machine, and that includes every web page in the
 * user's browser. Two checks keep pages out: the host name must be loopback's (else a name of an attacker's that resolves
 * to 127.0.0.1 would do, "DNS rebinding"), and a page that calls must come from here (forms travel without preflight).
 */
import type { FastifyInstance } from 'fastify'
import { HttpProblem } from '../problems.ts'

/** Whether a bind address or host name can only be reached from this machine. */
export function isLoopback(host: string): boolean {
  const name = host.toLowerCase().replace(/^\[|\]$/g, '')
  return name === 'localhost' || name === '::1' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(name)
}

export function registerLoopbackGuard(app: FastifyInstance): void {
  app.addHook('onRequest', async (request) => {
    const { host = '', origin } = request.headers
    if (!isLoopback(host.replace(/:\d+$/, ''))) {
      throw new HttpProblem('forbidden', 'This service listens on loopback and answers only to a loopback host name.')
    }
    if (origin !== undefined && origin !== `http://${host}`) {
      throw new HttpProblem('forbidden', 'A web page of another origin may not call this service.')
    }
  })
}
