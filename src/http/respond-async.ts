/** `Prefer: respond-async` (RFC 7240): the request becomes a job, whose result is the answer. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { type DeferredEmbeddings, type DeferredItem, written } from '../services/deferred.ts'
import type { WriteKey } from '../services/write-once.ts'
import type { AppDeps } from './route.ts'
import { takeJob } from './take-job.ts'

export function wantsJob({ checked }: FastifyRequest): boolean {
  const preferences = String(checked.prefer ?? '').split(',')
  return preferences.some((each) => each.split(';', 1)[0]!.trim().toLowerCase() === 'respond-async')
}

/** @throws DomainError `rate-limited`, `queue-unavailable`, `vector-store-unavailable` */
export async function respondAsync(
  request: FastifyRequest,
  reply: FastifyReply,
  deps: Pick<AppDeps, 'forTenant' | 'writeOnce'>,
  deferred: DeferredEmbeddings | DeferredItem,
  key?: WriteKey,
): Promise<FastifyReply> {
  const { jobs } = deps.forTenant(request.caller.tenant)
  await jobs.assertRoom()
  const staged = await jobs.stage([written(deferred)])
  const collection = 'collection' in deferred ? deferred.collection : undefined
  const kind = collection === undefined ? 'embeddings' : 'item'
  // With and without the preference it is another answer, so another request.
  const ofJob = key && { ...key, request: `${key.request} respond-async` }
  reply.header('preference-applied', 'respond-async')
  return takeJob(request, reply, deps, { kind, staged, collection, key: ofJob })
}
