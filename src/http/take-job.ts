/** What is staged becomes a job, once however often it is sent, and the answer is 202 with it. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { JobKind } from '../jobs/job-records.ts'
import type { Staged } from '../services/jobs.ts'
import type { WriteKey } from '../services/write-once.ts'
import { jobBody, jobPath } from './job-body.ts'
import type { AppDeps } from './route.ts'
import { markReplay } from './write-key.ts'

export interface NewJob {
  kind: JobKind
  staged: Staged
  /** Where items go. */
  collection?: string | undefined
  key: WriteKey | undefined
}

/** @throws DomainError `queue-unavailable`, `vector-store-unavailable`, `idempotency-key-reused`; there is no job then */
export async function takeJob(
  request: FastifyRequest,
  reply: FastifyReply,
  { forTenant, writeOnce }: Pick<AppDeps, 'forTenant' | 'writeOnce'>,
  { kind, staged, collection, key }: NewJob,
): Promise<FastifyReply> {
  const { jobs } = forTenant(request.caller.tenant)
  let isTaken = false // from then on what is staged is the job's
  try {
    const { answer, isReplay } = await writeOnce.run(key, async (attempt) => {
      isTaken = true
      return jobBody(await jobs.create(kind, staged, { collection }, attempt), request)
    })
    return markReplay(reply, isReplay).code(202).header('location', jobPath(answer.id)).send(answer)
  } finally {
    if (!isTaken) await jobs.discard(staged)
  }
}
