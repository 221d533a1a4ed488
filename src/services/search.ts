/** A content → the items of a collection nearest to it by cosine, whatever their modality. */
import type { Modality } from '../modality.ts'
import type { Payload, Segment, VectorStore } from '../vectors/store.ts'
import type { CollectionService } from './collections.ts'
import type { Content, ContentEncoder } from './content.ts'
import type { ModelService } from './models.ts'

export interface SearchRequest {
  query: Content
  limit: number
  offset: number
  modalities?: readonly Modality[] | undefined
  /** Least cosine, -1 to 1. */
  scoreThreshold?: number | undefined
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
}

export class SearchService {
  readonly #content: ContentEncoder
  readonly #store: VectorStore
  readonly #collections: CollectionService
  readonly #models: ModelService

  constructor(content: ContentEncoder, store: VectorStore, collections: CollectionService, models: ModelService) {
    this.#content = content
    this.#store = store
    this.#collections = collections
    this.#models = models
  }

  /** Best first. @throws DomainError `not-found`, `conflict` (other model), and those of `ContentEncoder.encode` */
  async search(collection: string, request: SearchRequest, signal?: AbortSignal): Promise<SearchHit[]> {
    this.#models.assertMade(await this.#collections.get(collection))
    const [encoded] = await this.#content.encodeAll([request.query], signal)
    signal?.throwIfAborted()
    const hits = await this.#store.search(collection, {
      vector: encoded!.vector,
      limit: request.limit,
      offset: request.offset,
      withVector: request.withEmbedding,
      ...(request.modalities && { modalities: request.modalities }),
      ...(request.scoreThreshold !== undefined && { scoreThreshold: request.scoreThreshold }),
    })
    return hits.map(({ id, score, modality, payload, segment, vector }) => ({
      id,
      score,
      modality,
      metadata: payload.metadata as Payload,
      ...(segment && { segment }),
      ...(vector && { embedding: vector }),
    }))
  }
}
