/** `/v1/collections/{collection}/search`. */
import type { SearchHit, SearchRequest } from '../../services/search.ts'
import { type Body, partsNamed, readBody } from '../body.ts'
import { type Caller, contentOf } from '../content-body.ts'
import { mediaUrlOf } from '../item-body.ts'
import { invalid, type Schemas } from '../openapi.ts'
import { raced } from '../plugins/deadline.ts'
import type { RouteContext } from '../route.ts'
import { boxBody } from './heads.ts'

export function searchRoutes({ add, contract, deps }: RouteContext): void {
  add('searchCollection', async (request, reply): Promise<Schemas['SearchResponse']> => {
    const collection = String(request.checked.collection)
    const body = await readBody(request, contract, 'SearchRequest', 'SearchForm')
    const options = body.kind === 'json' ? body.json : body.form
    const query = queryOf(body, request.caller)
    if (!('itemId' in query)) request.admitAs([query])
    const include = options.include ?? ['metadata']
    const search = deps.forTenant(request.caller.tenant).search.search(
      collection,
      {
        query,
        limit: options.limit ?? 10,
        offset: options.offset ?? 0,
        modalities: options.modalities,
        scoreThreshold: options.score_threshold,
        filter: options.filter,
        diversity: options.diversity,
        groupBy: options.group_by,
        ground: options.ground === 'true' && body.kind === 'form' ? true : options.ground,
        withEmbedding: include.includes('embedding'),
      },
      request.deadline,
    )
    const hits = (await raced(request.deadline, search)).map((hit) => hitBody(collection, hit, include))
    return { hits, model: deps.models.info.name, took_ms: Math.round(reply.elapsedTime * 10) / 10 }
  })
}

/** All files and texts of a form are the parts of one query; weights, if given, are one for each in order. */
function queryOf(body: Body<'SearchRequest', 'SearchForm'>, caller: Caller): SearchRequest['query'] {
  if (body.kind === 'json') {
    const { query } = body.json
    if (typeof query !== 'string' && 'item_id' in query) return { itemId: query.item_id }
    return contentOf(query, '/query', caller)
  }
  const parts = partsNamed(body.parts, ['file', 'text'])
  const { weight: weights } = body.form
  if (weights === undefined) return parts
  if (weights.length !== parts.length) {
    const detail = `must be given once for each file and text: ${parts.length} times, not ${weights.length}`
    throw invalid('The form does not match the contract.', [{ pointer: '/weight', detail }])
  }
  return parts.map((part, i) => ({ ...part, weight: weights[i]! }))
}

function hitBody(collection: string, hit: SearchHit, include: readonly string[]): Schemas['Hit'] {
  const { id, score, modality, metadata, segment, embedding, grounding } = hit
  return {
    id,
    score,
    modality,
    ...(include.includes('metadata') && { metadata }),
    ...(segment && { segment: { start_ms: segment.startMs, end_ms: segment.endMs } }),
    ...(grounding && { grounding: { ...grounding, box: boxBody(grounding.box) } }),
    ...(embedding && { embedding: Array.from(embedding) }),
    media_url: mediaUrlOf(collection, id),
  }
}
