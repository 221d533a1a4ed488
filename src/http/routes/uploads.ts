/** `/v1/uploads`: files sent ahead of the requests that use them. */
import { Readable } from 'node:stream'
import type { FastifyRequest } from 'fastify'
import { readJson } from '../body.ts'
import { invalid, type Schemas } from '../openapi.ts'
import { HttpProblem } from '../problems.ts'
import type { RouteContext } from '../route.ts'

type Upload = Awaited<ReturnType<RouteContext['deps']['uploads']['create']>>

export function uploadRoutes({ add, contract, deps: { uploads, models } }: RouteContext): void {
  const { maxUploadBytes } = models.info.limits
  add('createUpload', async (request, reply) => {
    const { bytes, media_type: mediaType, sha256 } = readJson(request, contract, 'UploadRequest')
    if (bytes > maxUploadBytes)
      throw new HttpProblem('payload-too-large', `An upload may have ${maxUploadBytes} bytes, not ${bytes}.`)
    const upload = await uploads.create(request.caller.tenant, { bytes, mediaType, sha256 })
    return reply.code(201).send(uploadBody(upload))
  })
  add(
    'putUpload',
    async (request, reply) => {
      const mediaType = (request.headers['content-type'] ?? '').toLowerCase()
      const read = (bytes: number) => readBytes(request, bytes)
      await uploads.receive(request.caller.tenant, String(request.checked.upload), mediaType, read)
      return reply.code(204).send()
    },
    { bodyLimit: maxUploadBytes },
  )
}

function uploadBody({ id, url, headers, bytes, mediaType, expiresAt, usableUntil }: Upload): Schemas['Upload'] {
  return {
    id,
    method: 'PUT',
    url: url ?? `/v1/uploads/${id}`,
    headers,
    bytes,
    media_type: mediaType,
    expires_at: expiresAt,
    usable_until: usableUntil,
  }
}

/** No more than a byte too many is kept of what is longer than announced. */
async function readBytes(request: FastifyRequest, bytes: number): Promise<Buffer> {
  if (!(request.body instanceof Readable)) throw invalid('The request has no body; send the file.')
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of request.body as AsyncIterable<Buffer>) {
    chunks.push(chunk)
    length += chunk.length
    if (length > bytes) throw invalid(`The upload was announced with ${bytes} bytes, and has more.`)
  }
  return Buffer.concat(chunks)
}
