/**
 * A content, or an item already stored → the items of a collection nearest to it by cosine, whatever their modality.
 *
 *   query ─► vector ─► store (filter, modalities, threshold) ─► one a group ─► diversity ─► page ─► boxes in pictures
 */
import { DomainError } from '../errors.ts'
import type { Modality } from '../modality.ts'
import type { Filter } from '../vectors/filter.ts'
import type { Hit, Payload, SearchQuery, Segment, VectorStore } from '../vectors/store.ts'
import type { CollectionService } from './collections.ts'
import { type Content, type ContentEncoder, meanOf } from './content.ts'
import { diversified } from './diversity.ts'
import type { GroundedHit, PointingService } from './pointing.ts'

export interface SearchRequest {
  query: Content | { itemId: string }
  limit: number
  offset: number
  modalities?: readonly Modality[] | undefined
  filter?: Filter | undefined
  /** Least cosine, -1 to 1. */
  scoreThreshold?: number | undefined
  /** Weight of being unlike better hits, 0 to 1. */
  diversity?: number | undefined
  /** `item` (the default), `segment`, or `metadata.` and a key: of equal values only the best hit. */
  groupBy?: string | undefined
  /** The phrase to find in each picture; `true` for the words of the query. */
  ground?: string | true | undefined
  withEmbedding: boolean
}

export interface SearchHit {
  id: string
  score: number
  modality: Modality
  metadata: Payload
  /** The best window of a long sound. */
  segment?: Segment
  embedding?: Float32Array
  grounding?: GroundedHit
}

export interface SearchServiceDeps {
  content: ContentEncoder
  store: VectorStore
  collections: CollectionService
  pointing: PointingService
}

const METADATA_KEY = /^metadata\./
/** Hits among which diversity and groups choose: this many for each wanted, within bounds. */
const CANDIDATES_PER_HIT = 4
const MIN_CANDIDATES = 50
/** Each pick looks at every candidate: the work grows with the square. */
const MAX_DIVERSE = 200

export class SearchService {
  readonly #deps: SearchServiceDeps

  constructor(deps: SearchServiceDeps) {
    this.#deps = deps
  }

  /**
   * Best first.
   * @throws DomainError `not-found` (collection, item), `conflict` (other model), `payload-too-large` (diversity), those of
   *   `ContentEncoder.encode`, and where `ground` is given those of `PointingService`
   */
  async search(collection: string, request: SearchRequest, signal?: AbortSignal): Promise<SearchHit[]> {
    const { collections, pointing } = this.#deps
    await collections.assertUsable(collection)
    assertFewEnough(request)
    const phrase = request.ground === undefined ? undefined : phraseOf(request.ground, request.query)
    if (phrase !== undefined) pointing.assertPoints(request.limit)
    const vector = await this.#vectorOf(collection, request.query, signal)
    signal?.throwIfAborted()
    const hits = await this.#page(collection, request, vector)
    if (phrase !== undefined) await pointing.pointOut(collection, hits, phrase, signal)
    return hits
  }

  async #vectorOf(collection: string, query: SearchRequest['query'], signal?: AbortSignal): Promise<Float32Array> {
    if (!('itemId' in query)) return (await this.#deps.content.encodeAll([query], signal))[0]!.vector
    const vectors = await this.#deps.store.getVectors(collection, query.itemId)
    if (vectors) return meanOf(vectors)
    throw new DomainError('not-found', `The collection has no item '${query.itemId}' to search with.`)
  }

  async #page(collection: string, request: SearchRequest, vector: Float32Array): Promise<SearchHit[]> {
    const { query, offset, limit, diversity = 0, groupBy = 'item' } = request
    const self = 'itemId' in query ? query.itemId : undefined
    const key = METADATA_KEY.test(groupBy) ? groupBy.replace(METADATA_KEY, '') : undefined
    const end = offset + limit
    // Pages of a diverse ranking fit together only if all are cut from the same candidates, whatever the page.
    const needed = diversity > 0 ? MAX_DIVERSE : end
    const ask = storeQueryOf(request, vector)
    for (let count = candidatesFor(needed, self, key, diversity); ; count *= 4) {
      const found = await this.#deps.store.search(collection, { ...ask, limit: count, offset: 0 })
      const others = found.filter(({ id }) => id !== self)
      const grouped = key === undefined ? others : bestOfEach(others, key)
      if (grouped.length < needed && found.length === count) continue
      const hits = grouped.map(hitOf)
      const ranked = diversity > 0 ? await diversified(hits as Required<SearchHit>[], end, diversity) : hits
      return ranked.slice(offset, end).map((hit) => (request.withEmbedding ? hit : withoutEmbedding(hit)))
    }
  }
}

/** @throws DomainError `payload-too-large` */
function assertFewEnough({ diversity = 0, offset, limit }: SearchRequest): void {
  if (diversity === 0 || offset + limit <= MAX_DIVERSE) return
  const message = `With \`diversity\` only the first ${MAX_DIVERSE} hits can be asked for; lower \`offset\` or \`limit\`.`
  throw new DomainError('payload-too-large', message)
}

function candidatesFor(needed: number, self: string | undefined, key: string | undefined, diversity: number): number {
  const wanted = needed + (self === undefined ? 0 : 1)
  return key === undefined && diversity === 0 ? wanted : Math.max(MIN_CANDIDATES, wanted * CANDIDATES_PER_HIT)
}

function storeQueryOf(request: SearchRequest, vector: Float32Array): Omit<SearchQuery, 'limit' | 'offset'> {
  const { modalities, filter, scoreThreshold, groupBy, diversity = 0, withEmbedding } = request
  return {
    vector,
    withVector: withEmbedding || diversity > 0,
    eachSegment: groupBy === 'segment',
    ...(modalities && { modalities }),
    ...(filter && { filter }),
    ...(scoreThreshold !== undefined && { scoreThreshold }),
  }
}

/** What `ground: true` means: the query itself, if it is words. @throws DomainError `unprocessable-content` */
function phraseOf(ground: string | true, query: SearchRequest['query']): string {
  if (ground !== true) return ground
  const words = 'itemId' in query ? [] : query.filter((part) => part.kind === 'text' && part.weight > 0)
  const [only, ...others] = words
  if (only?.kind === 'text' && others.length === 0) return only.text
  const message = 'The query has no single text that `ground: true` could look for; say `ground: "phrase"` instead.'
  throw new DomainError('unprocessable-content', message)
}

/** Hits come best first. Those without the key stand for themselves. */
function bestOfEach(hits: readonly Hit[], key: string): Hit[] {
  const seen = new Set<string>()
  return hits.filter((hit) => {
    const values = valuesAt(hit.payload.metadata, key)
    if (values.length === 0) return true
    const group = JSON.stringify(values)
    if (seen.has(group)) return false
    seen.add(group)
    return true
  })
}

/** What stands under a dotted key, read as filters read it: a dot may be part of a name, and arrays have the key of what they are in. */
function valuesAt(value: unknown, key: string | undefined): unknown[] {
  if (Array.isArray(value)) return value.flatMap((element) => valuesAt(element, key))
  if (key === undefined) return value === null || value === undefined ? [] : [value]
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, member]) => {
    if (name === key) return valuesAt(member, undefined)
    return key.startsWith(`${name}.`) ? valuesAt(member, key.slice(name.length + 1)) : []
  })
}

function hitOf({ id, score, modality, payload, segment, vector }: Hit): SearchHit {
  return {
    id,
    score,
    modality,
    metadata: payload.metadata as Payload,
    ...(segment && { segment }),
    ...(vector && { embedding: vector }),
  }
}

function withoutEmbedding({ embedding: _, ...hit }: SearchHit): SearchHit {
  return hit
}
