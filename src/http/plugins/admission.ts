/**
 * How many requests, and how many bytes of their bodies, are in work at once. What comes beyond is refused before its body is
 * read: a service that takes more than it can do answers everyone too late, and holds all of it in memory meanwhile.
 * No operation holds more places than are free, so the slow ones never hold all: one alone gets half of the places, each of three
 * that are at their bound a quarter. Source: dynamic thresholds of shared buffers, Choudhury and Hahne 1998, with α = 1.
 * Operations without a scope (health, metrics, the contract) are always let in.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { DomainError } from '../../errors.ts'
import { Room } from '../../room.ts'
import type { Admission } from '../../services/limits.ts'

/** Bounds of the advice to come back later, in seconds. */
const MIN_RETRY_S = 1
const MAX_RETRY_S = 60
/** Weight of the newest answer in the running estimate of how fast they come. */
const PACE_WEIGHT = 0.05

export function registerAdmission(
  app: FastifyInstance,
  { maxRequests, maxBytes }: Admission,
  maxBodyBytes: number,
): void {
  const room = new Room(maxRequests, maxBytes)
  const pace = new Pace()
  /** Places held, by operation. */
  const holders = new Map<string, number>()
  app.addHook('onRequest', async (request, reply) => {
    const { config, url = '' } = request.routeOptions
    if (config.scope === undefined) return
    const operation = `${request.method} ${url}`
    const held = holders.get(operation) ?? 0
    const mayHoldMore = held <= maxRequests - room.requests
    const leave = mayHoldMore ? room.enter(sizeOf(request, maxBodyBytes)) : undefined
    if (leave === undefined) {
      const retryAfterS = pace.secondsFor(room.requests)
      const message = `The service has as much work as it accepts; try again in ${retryAfterS} s.`
      throw new DomainError('overloaded', message, { retryAfterS })
    }
    holders.set(operation, held + 1)
    reply.raw.once('close', () => {
      leave()
      holders.set(operation, holders.get(operation)! - 1)
      pace.answered()
    })
  })
}

function sizeOf({ method, headers }: FastifyRequest, maxBodyBytes: number): number {
  if (method === 'GET' || method === 'HEAD' || method === 'DELETE') return 0
  const announced = Number(headers['content-length'] ?? maxBodyBytes)
  return Number.isFinite(announced) ? Math.min(announced, maxBodyBytes) : maxBodyBytes
}

/** How long it takes to answer what is in work, at the pace of the latest answers. */
class Pace {
  #gapMs: number | undefined
  #last = performance.now()

  answered(): void {
    const now = performance.now()
    const gap = now - this.#last
    this.#last = now
    this.#gapMs = this.#gapMs === undefined ? gap : this.#gapMs + PACE_WEIGHT * (gap - this.#gapMs)
  }

  secondsFor(requests: number): number {
    const seconds = Math.ceil(((this.#gapMs ?? 0) * requests) / 1000)
    return Math.min(MAX_RETRY_S, Math.max(MIN_RETRY_S, seconds))
  }
}
