/** `/v1/collections/{collection}/imports`: lines of any number, or a manifest, become a job once they are on disk. */
import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import type { FastifyRequest } from 'fastify'
import { DomainError } from '../../errors.ts'
import type { WriteKey } from '../../services/write-once.ts'
import { readJson } from '../body.ts'
import { type Line, linesOf, NDJSON } from '../ndjson.ts'
import { invalid } from '../openapi.ts'
import type { RouteContext } from '../route.ts'
import { takeJob } from '../take-job.ts'
import { streamKeyOf, writeKeyOf } from '../write-key.ts'

const JSON_TYPE = 'application/json'

interface Source {
  lines: AsyncIterable<Line> | Iterable<Line>
  /** Known once the lines are read. */
  key(): Promise<WriteKey | undefined>
}

export function importRoutes({ add, contract, deps }: RouteContext): void {
  const { maxRequestBytes } = deps.models.info.limits
  const sourceOf = (request: FastifyRequest): Source => {
    if (request.body instanceof Readable) return sourceOfStream(request, request.body, maxRequestBytes)
    if (request.headers['content-type']?.includes(NDJSON))
      throw invalid('The request has no body; send an item a line.')
    const json = readJson(request, contract, 'ImportManifest')
    const lines = json.upload ? linesOfUpload(request, json.upload.id) : linesOfItems(json.items ?? [])
    return { lines, key: () => writeKeyOf(request, { kind: 'json', json }) }
  }
  const linesOfUpload = async function* ({ caller }: FastifyRequest, id: string): AsyncGenerator<Line> {
    const { bytes, mediaType } = await deps.uploads.open(caller.tenant, id)
    if (mediaType !== NDJSON) throw notLines(id, mediaType)
    yield* linesOf([bytes], maxRequestBytes)
  }
  add(
    'createImport',
    async (request, reply) => {
      const collection = String(request.checked.collection)
      const { collections, jobs } = deps.forTenant(request.caller.tenant)
      // What holds for every line is told at once.
      await collections.assertUsable(collection)
      await jobs.assertRoom()
      const { lines, key } = sourceOf(request)
      const staged = await jobs.stage(lines)
      return takeJob(request, reply, deps, { kind: 'import', staged, collection, key: await key() })
    },
    { bodyLimit: Number.MAX_SAFE_INTEGER, jsonLimit: maxRequestBytes, contentTypes: [NDJSON, JSON_TYPE] },
  )
}

function linesOfItems(items: readonly object[]): Line[] {
  return items.map((item) => Buffer.from(JSON.stringify(item)))
}

function notLines(id: string, mediaType: string): DomainError {
  const message = `The upload '${id}' is ${mediaType}; announce what is to be imported as ${NDJSON}.`
  return new DomainError('unprocessable-content', message)
}

function sourceOfStream(request: FastifyRequest, body: Readable, maxLineBytes: number): Source {
  const hash = createHash('sha256')
  return {
    lines: linesOf(hashed(body, hash, request.deadline), maxLineBytes),
    key: async () => streamKeyOf(request, hash.digest('hex')),
  }
}

async function* hashed(body: Readable, hash: ReturnType<typeof createHash>, deadline: AbortSignal) {
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    deadline.throwIfAborted()
    hash.update(chunk)
    yield chunk
  }
}
