/**
 * How many requests, and how many bytes of their bodies, are in work at once. What comes beyond is refused before its body is
 * read: a service that takes more than it can do answers everyone too late, and holds all of it in memory meanwhile.
 * Of each kind of work no more places are held than are free, so that the slow ones never hold all: one alone gets half of the places,
 * each of three that are at their bound a quarter. Kinds are operations, and where one takes texts, pictures and sounds, these:
 * known once the body is read. Source: dynamic thresholds of shared buffers, Choudhury and Hahne 1998, with α = 1.
 * Operations without a scope (health, metrics, the contract) are always let in.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { DomainError } from '../../errors.ts'
import { Room } from '../../room.ts'
import type { Content } from '../../services/content.ts'
import type { Admission } from '../../services/limits.ts'

/** Bounds of the advice to come back later, in seconds. */
const MIN_RETRY_S = 1
const MAX_RETRY_S = 60
/** Weight of the newest answer in the running estimate of how fast they come. */
const PACE_WEIGHT = 0.05

declare module 'fastify' {
  interface FastifyRequest {
    /** To be told what the request is about, once that is known. @throws DomainError `overloaded` */
    admitAs(contents: readonly Content[]): void
  }
}

export function registerAdmission(
  app: FastifyInstance,
  { maxRequests, maxBytes }: Admission,
  maxBodyBytes: number,
): void {
  const room = new Room(maxRequests, maxBytes)
  const pace = new Pace()
  const held = new Map<string, number>()
  const count = (kind: string, change: 1 | -1) => held.set(kind, (held.get(kind) ?? 0) + change)
  const mayHold = (kind: string, free: number) => (held.get(kind) ?? 0) <= free
  const refusal = () => {
    const retryAfterS = pace.secondsFor(room.requests)
    const message = `The service has as much work as it accepts; try again in ${retryAfterS} s.`
    return new DomainError('overloaded', message, { retryAfterS })
  }
  app.decorateRequest('admitAs', () => undefined)
  app.addHook('onRequest', async (request, reply) => {
    const { config, url = '' } = request.routeOptions
    if (config.scope === undefined) return
    let kind = `${request.method} ${url}`
    const isWelcome = mayHold(kind, maxRequests - room.requests)
    const leave = isWelcome ? room.enter(sizeOf(request, maxBodyBytes)) : undefined
    if (leave === undefined) throw refusal()
    count(kind, 1)
    request.admitAs = (contents) => {
      count(kind, -1)
      kind = `${request.method} ${url} ${modalityOf(contents)}`
      const isStillWelcome = mayHold(kind, maxRequests - room.requests + 1) // its own place is one that it may have
      count(kind, 1)
      if (!isStillWelcome) throw refusal()
    }
    reply.raw.once('close', () => {
      request.admitAs = () => undefined // who has hung up while the body was read holds nothing any more
      leave()
      count(kind, -1)
      pace.answered()
    })
  })
}

/** `text` only where all is; else of the first that is not, as far as the caller said it. */
function modalityOf(contents: readonly Content[]): string {
  const other = contents.flat().find(({ kind }) => kind !== 'text')
  if (other === undefined) return 'text'
  return ('expected' in other && other.expected) || 'media'
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
