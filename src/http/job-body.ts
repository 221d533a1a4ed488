/** A job as the contract writes it. */
import type { FastifyRequest } from 'fastify'
import type { FailedLine, LineFailure } from '../jobs/job-records.ts'
import { type DeferredVectors, vectorsRead } from '../services/deferred.ts'
import type { Item } from '../services/index-items.ts'
import type { Job } from '../services/jobs.ts'
import { embeddingsBody } from './embeddings-body.ts'
import { itemBody } from './item-body.ts'
import type { Schemas } from './openapi.ts'
import { PROBLEM_TYPE_PREFIX, PROBLEMS, type Problem } from './problems.ts'

export function jobBody(job: Job, request: FastifyRequest): Schemas['Job'] {
  const { state, startedAt, finishedAt, succeeded, failed, rate, result, failure } = job
  const { id, kind, collection, createdAt, lines } = job.request
  return {
    id,
    kind,
    state,
    ...(collection !== undefined && { collection }),
    created_at: createdAt,
    ...(startedAt !== undefined && { started_at: startedAt }),
    ...(finishedAt !== undefined && { finished_at: finishedAt }),
    counts: { total: lines, done: succeeded + failed, succeeded, failed },
    ...(rate !== undefined && { rate }),
    ...(result !== undefined && { result: resultBody(job) }),
    ...(failure !== undefined && { error: problemBody(failure, request, jobPath(id)) }),
  }
}

function resultBody({ request: { kind, collection }, result }: Job): NonNullable<Schemas['Job']['result']> {
  if (kind === 'item') return itemBody(collection!, result as Item)
  const vectors = result as DeferredVectors
  return embeddingsBody(vectorsRead(vectors), vectors.model, vectors.encodingFormat)
}

export function jobErrorBody({ line, id, failure }: FailedLine, request: FastifyRequest): Schemas['JobError'] {
  return { line, ...(id !== undefined && { id }), error: problemBody(failure, request, request.url.split('?', 1)[0]!) }
}

function problemBody({ code, detail, errors }: LineFailure, request: FastifyRequest, path: string): Problem {
  // Codes are never taken back; one of a newer version would be a defect to us.
  const known = (code in PROBLEMS ? code : 'internal') as keyof typeof PROBLEMS
  const { status, title } = PROBLEMS[known]
  return {
    type: PROBLEM_TYPE_PREFIX + known,
    title,
    status,
    detail,
    instance: path,
    code: known,
    request_id: request.id,
    ...(errors && { errors }),
  }
}

export function jobPath(id: string): string {
  return `/v1/jobs/${id}`
}
