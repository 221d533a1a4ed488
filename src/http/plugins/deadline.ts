/**
 * `request.deadline`: an AbortSignal that fires when `x-timeout-ms` has passed or the client has gone, so that work nobody
 * waits for is dropped before it reaches the model.
 */
import { setMaxListeners } from 'node:events'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { DomainError } from '../../errors.ts'

declare module 'fastify' {
  interface FastifyRequest {
    deadline: AbortSignal
  }
}

export function registerDeadline(app: FastifyInstance): void {
  // biome-ignore lint/suspicious/noExplicitAny: a decorator must be declared before it has a value
  app.decorateRequest('deadline', null as any)
  app.addHook('onRequest', async (request, reply) => {
    const controller = new AbortController()
    setMaxListeners(0, controller.signal) // each input of a request listens; Node warns of more than ten
    request.deadline = controller.signal
    const timer = startTimer(request, controller)
    reply.raw.once('close', () => {
      clearTimeout(timer)
      if (!reply.raw.writableFinished) controller.abort(new DomainError('deadline-exceeded', 'The client has gone.'))
    })
  })
}

/** The value is checked with the other parameters; here only a sane one counts. */
function startTimer(request: FastifyRequest, controller: AbortController): NodeJS.Timeout | undefined {
  const timeoutMs = Number(request.headers['x-timeout-ms'])
  if (!Number.isInteger(timeoutMs) || timeoutMs < 1) return undefined
  const message = `The ${timeoutMs} ms given with x-timeout-ms have passed.`
  return setTimeout(() => controller.abort(new DomainError('deadline-exceeded', message)), timeoutMs).unref()
}

/** The result, or the reason of the signal if that comes first. For reads only: what goes on behind changes nothing. */
export async function raced<T>(signal: AbortSignal, task: Promise<T>): Promise<T> {
  task.catch(() => {}) // nobody else waits for it where the signal came first; else the race tells
  signal.throwIfAborted()
  let giveUp = () => {}
  const aborted = new Promise<never>((_, reject) => {
    giveUp = () => reject(signal.reason)
    signal.addEventListener('abort', giveUp, { once: true })
  })
  try {
    return await Promise.race([task, aborted])
  } finally {
    signal.removeEventListener('abort', giveUp)
  }
}
