/** `Idempotency-Key`: which write a request is, told by its key and everything that it asks for. */
import { createHash } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { sha256Of } from '../blobs/blob-store.ts'
import type { WriteKey } from '../services/write-once.ts'
import type { FormPart } from './body.ts'

/** @returns undefined where the request bears no key */
export async function writeKeyOf(
  request: FastifyRequest,
  body: { kind: 'json'; json: unknown } | { kind: 'form'; parts: readonly FormPart[] },
): Promise<WriteKey | undefined> {
  const key = request.checked['idempotency-key']
  if (key === undefined) return undefined
  const hash = createHash('sha256').update(JSON.stringify([request.method, request.checked.collection, body.kind]))
  // Large bodies are hashed off this thread; a form by its parts, as its boundary differs each time.
  if (body.kind === 'json') hash.update(await sha256Of(Buffer.from(JSON.stringify(body.json))))
  else for (const part of body.parts) hash.update(await hashOfPart(part))
  return { tenant: request.caller.tenant, key: String(key), request: hash.digest('hex') }
}

/** As `writeKeyOf`, for a body that was hashed as it came. @param body its SHA-256 */
export function streamKeyOf(request: FastifyRequest, body: string): WriteKey | undefined {
  const key = request.checked['idempotency-key']
  if (key === undefined) return undefined
  const asked = JSON.stringify([request.method, request.checked.collection, 'ndjson', body])
  const hash = createHash('sha256').update(asked).digest('hex')
  return { tenant: request.caller.tenant, key: String(key), request: hash }
}

async function hashOfPart(part: FormPart): Promise<string> {
  const bytes = part.kind === 'text' ? Buffer.from(part.text) : part.bytes
  return JSON.stringify([part.name, part.kind, await sha256Of(bytes)])
}

/** Says that an answer is that of an earlier request. */
export function markReplay(reply: FastifyReply, isReplay: boolean): FastifyReply {
  return isReplay ? reply.header('idempotent-replayed', 'true') : reply
}
