/**
 * How often one key, or one address where no key is asked for, may call the operations that have a scope. What is over it
 * gets a 429 with `retry-after`; every answer says what is left (`ratelimit-*`, draft-ietf-httpapi-ratelimit-headers-06).
 *
 * A sixth of a minute's requests, at least 10, may come at once; then they come again as a window of that size passes. The
 * counts are of this process, and of the 5,000 callers seen last: a start forgets them. An IPv6 caller is its network (/64).
 */
import rateLimit, { normalizeIP } from '@fastify/rate-limit'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { HttpProblem } from '../problems.ts'

/** Requests a minute of a key where nothing was said. Without keys on loopback there is no limit then. */
const DEFAULT_WITH_KEY = 600
const MIN_BURST = 10
const MINUTE_MS = 60_000

/** @param perMinute 0 for no limit, undefined for the preset. Must be registered after authentication. */
export async function registerRateLimit(app: FastifyInstance, perMinute: number | undefined): Promise<void> {
  if (perMinute === 0) return
  const limit = perMinute ?? DEFAULT_WITH_KEY
  const burst = Math.max(MIN_BURST, Math.ceil(limit / 6))
  await app.register(rateLimit, { global: false })
  const count = app.createRateLimit({
    max: burst,
    timeWindow: Math.ceil((burst / limit) * MINUTE_MS),
    keyGenerator: ({ caller, ip }) =>
      caller.keyId === undefined ? `address ${normalizeIP(ip)}` : `key ${caller.keyId}`,
  })
  app.addHook('onRequest', async (request, reply) => {
    const { scope } = request.routeOptions.config
    if (scope === undefined || (perMinute === undefined && request.caller.keyId === undefined)) return
    tell(await count(request), reply, limit)
  })
}

type Count = Awaited<ReturnType<ReturnType<FastifyInstance['createRateLimit']>>>

/** @throws HttpProblem `rate-limited` */
function tell(count: Count, reply: FastifyReply, perMinute: number): void {
  if (count.isAllowed) return
  const { max, remaining, ttlInSeconds, isExceeded } = count
  reply.headers({ 'ratelimit-limit': max, 'ratelimit-remaining': remaining, 'ratelimit-reset': ttlInSeconds })
  if (!isExceeded) return
  throw new HttpProblem(
    'rate-limited',
    `At most ${perMinute} requests a minute are taken, ${max} of them at once; wait ${ttlInSeconds} s.`,
    { headers: { 'retry-after': String(ttlInSeconds) } },
  )
}
