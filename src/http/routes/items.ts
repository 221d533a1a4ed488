/** `/v1/collections/{collection}/items` and below. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { ItemDraft, OriginalMedia } from '../../services/index-items.ts'
import { partsNamed, readBody } from '../body.ts'
import { type Caller, contentOf } from '../content-body.ts'
import { itemBody, itemUrlOf } from '../item-body.ts'
import { type Contract, invalid, type Schemas } from '../openapi.ts'
import { raced } from '../plugins/deadline.ts'
import { HttpProblem } from '../problems.ts'
import { respondAsync, wantsJob } from '../respond-async.ts'
import type { RouteContext } from '../route.ts'
import { markReplay, writeKeyOf } from '../write-key.ts'

export function itemRoutes({ add, contract, deps }: RouteContext): void {
  const items = ({ caller }: FastifyRequest) => deps.forTenant(caller.tenant).items
  add('createItem', async (request, reply) => {
    const { collection } = namesOf(request)
    const body = await readBody(request, contract, 'ItemRequest', 'ItemForm')
    const { id } = body.kind === 'json' ? body.json : body.form
    const draft = draftOf(body, request.caller)
    request.admitAs([draft.content])
    const key = await writeKeyOf(request, body)
    if (wantsJob(request)) {
      await deps.forTenant(request.caller.tenant).collections.assertUsable(collection)
      return respondAsync(request, reply, deps, { collection, id, ...draft }, key)
    }
    const { answer, isReplay } = await deps.writeOnce.run(key, async (attempt) =>
      itemBody(collection, await items(request).create(collection, id, draft, request.deadline, attempt)),
    )
    return created(markReplay(reply, isReplay), collection, answer)
  })
  add('putItem', async (request, reply) => {
    const { collection, id } = namesOf(request)
    const body = await readBody(request, contract, 'ItemPutRequest', 'ItemPutForm')
    const draft = draftOf(body, request.caller)
    request.admitAs([draft.content])
    const [item, isNew] = await items(request).put(collection, id, draft, request.deadline)
    const answer = itemBody(collection, item)
    return isNew ? created(reply, collection, answer) : answer
  })
  add('listItems', async (request): Promise<Schemas['ItemList']> => {
    const { collection } = namesOf(request)
    const { items: page, more } = await items(request).list(collection, {
      limit: Number(request.checked.limit),
      afterId: afterIdOf(request),
      filter: filterOf(request, contract),
    })
    const body: Schemas['ItemList'] = { items: page.map((item) => itemBody(collection, item)) }
    if (more) body.next_cursor = Buffer.from(page.at(-1)!.id).toString('base64url')
    return body
  })
  add('getItem', async (request) => {
    const { collection, id } = namesOf(request)
    const item = itemBody(collection, await items(request).get(collection, id))
    if (request.checked.include !== 'embedding') return item
    const vectors = await items(request).vectors(collection, id)
    return { ...item, embeddings: vectors.map((vector) => [...vector]) }
  })
  add('deleteItem', async (request, reply) => {
    const { collection, id } = namesOf(request)
    await items(request).delete(collection, id)
    return reply.code(204).send()
  })
  add('getItemMedia', async (request, reply) => {
    const { collection, id } = namesOf(request)
    return sendMedia(request, reply, await items(request).media(collection, id))
  })
  add('getItemThumbnail', async (request, reply) => {
    const { collection, id } = namesOf(request)
    const sidePx = Number(request.checked.size)
    const { sha256, read } = await items(request).thumbnail(collection, id)
    const etag = `"${sha256}-${sidePx}"`
    harmless(reply, etag)
    if (request.headers['if-none-match']?.includes(etag)) return reply.code(304).send()
    return reply.type('image/webp').send(await raced(request.deadline, read(sidePx, request.deadline)))
  })
}

function namesOf(request: FastifyRequest): { collection: string; id: string } {
  return { collection: String(request.checked.collection), id: String(request.checked.id) }
}

type ItemBody =
  | { kind: 'json'; json: Schemas['ItemPutRequest'] }
  | { kind: 'form'; form: Schemas['ItemPutForm']; parts: Parameters<typeof partsNamed>[0] }

function draftOf(body: ItemBody, caller: Caller): ItemDraft {
  if (body.kind === 'form') return { content: partsNamed(body.parts, ['file', 'text']), metadata: body.form.metadata }
  return { content: contentOf(body.json.input, '/input', caller), metadata: body.json.metadata }
}

/** A cursor is the last id of the page before, in base64url. */
function afterIdOf(request: FastifyRequest): string | undefined {
  const { cursor } = request.checked
  if (cursor === undefined) return undefined
  const id = Buffer.from(String(cursor), 'base64url').toString()
  if (Buffer.from(id).toString('base64url') !== cursor || id.includes('\u0000')) {
    throw invalid('The cursor is none that this service gave.', [
      { pointer: '/query/cursor', detail: 'is not a cursor' },
    ])
  }
  return id
}

/** In a query a filter is JSON text. */
function filterOf(request: FastifyRequest, contract: Contract): Schemas['Filter'] | undefined {
  const { filter } = request.checked
  if (filter === undefined) return undefined
  try {
    return contract.check('Filter', JSON.parse(String(filter)))
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    throw invalid('The filter is not JSON.', [{ pointer: '/query/filter', detail: 'must be a JSON object' }])
  }
}

function created(reply: FastifyReply, collection: string, item: Schemas['Item']): FastifyReply {
  return reply.code(201).header('location', itemUrlOf(collection, item.id)).send(item)
}

/** RFC 9110 §13.1.2 and §14: one range, and no transfer of what the client has. */
async function sendMedia(request: FastifyRequest, reply: FastifyReply, media: OriginalMedia): Promise<FastifyReply> {
  const etag = `"${media.sha256}"`
  harmless(reply, etag).header('accept-ranges', 'bytes')
  if (request.headers['if-none-match']?.includes(etag)) return reply.code(304).send()
  const range = rangeOf(request, media.bytes)
  const body = await media.read(range)
  if (range) reply.code(206).header('content-range', `bytes ${range.start}-${range.end}/${media.bytes}`)
  const bytes = range ? range.end - range.start + 1 : media.bytes
  return reply.type(media.mimeType).header('content-length', bytes).send(body)
}

/** Bytes of strangers: asked for again each time, and shown without any rights. */
function harmless(reply: FastifyReply, etag: string): FastifyReply {
  reply.header('etag', etag).header('cache-control', 'private, no-cache')
  return reply.header('content-security-policy', "default-src 'none'; sandbox")
}

function rangeOf(request: FastifyRequest, bytes: number): { start: number; end: number } | undefined {
  const [, first, last] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(request.headers.range ?? '') ?? []
  if (!first && !last) return undefined
  const start = first ? Number(first) : Math.max(0, bytes - Number(last))
  const end = first && last ? Math.min(Number(last), bytes - 1) : bytes - 1
  if (start <= end) return { start, end }
  const headers = { 'content-range': `bytes */${bytes}` }
  throw new HttpProblem('range-not-satisfiable', `The original has ${bytes} bytes.`, { headers })
}
