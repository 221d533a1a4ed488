/**
 * A collection of onepeace as a vector store of LangChain.js. Texts go in as documents, pictures and sounds by `addMedia`; whatever
 * is found comes out as documents, a text with its words, a picture or sound with `media_url` in its metadata. The service embeds what it
 * stores, so vectors of other models are refused.
 */
import { Document, type DocumentInterface } from '@langchain/core/documents'
import { type MaxMarginalRelevanceSearchOptions, VectorStore } from '@langchain/core/vectorstores'
import type { Filter, Input, Media, Metadata, OnepeaceClient, SearchOptions } from 'onepeace-client'
import { OnepeaceEmbeddings } from './embeddings.ts'

export interface OnepeaceVectorStoreParams {
  client: OnepeaceClient
  /** Name of a collection that exists. */
  collection: string
}

type Hit = Awaited<ReturnType<OnepeaceClient['search']>>['hits'][number]
type Scored = [DocumentInterface, number]

export class OnepeaceVectorStore extends VectorStore {
  declare FilterType: Filter
  readonly #client: OnepeaceClient
  readonly #collection: string

  constructor({ client, collection }: OnepeaceVectorStoreParams) {
    super(new OnepeaceEmbeddings({ client }), {})
    this.#client = client
    this.#collection = collection
  }

  _vectorstoreType(): string {
    return 'onepeace'
  }

  /** @returns the ids, given or made. @throws naming the first document that was refused; those before it are kept */
  override async addDocuments(documents: DocumentInterface[], { ids }: { ids?: string[] } = {}): Promise<string[]> {
    const items = documents.map(({ pageContent, metadata, id }, i) => {
      const given = ids?.[i] ?? id
      return { input: pageContent, metadata, ...(given !== undefined && { id: given }) }
    })
    const added: string[] = []
    for await (const { index, item, error } of this.#client.items.batch(this.#collection, items)) {
      if (item === undefined) throw new Error(`Document ${index} was not kept: ${error?.detail}`)
      added.push(item.id)
    }
    return added
  }

  /** A picture or sound. @returns its id */
  async addMedia(media: Media, options: { id?: string; metadata?: Metadata } = {}): Promise<string> {
    return (await this.#client.items.add(this.#collection, media, options)).id
  }

  override async similaritySearchWithScore(query: string, k = 4, filter?: Filter): Promise<Scored[]> {
    return this.searchWithScore(query, { limit: k, ...(filter && { filter }) })
  }

  override async similaritySearch(query: string, k = 4, filter?: Filter): Promise<DocumentInterface[]> {
    return (await this.similaritySearchWithScore(query, k, filter)).map(([document]) => document)
  }

  override async maxMarginalRelevanceSearch(
    query: string,
    { k, lambda = 0.5, filter }: MaxMarginalRelevanceSearchOptions<Filter>,
  ): Promise<DocumentInterface[]> {
    const scored = await this.searchWithScore(query, { limit: k, diversity: 1 - lambda, ...(filter && { filter }) })
    return scored.map(([document]) => document)
  }

  /** By anything that has a vector: words, a picture, a sound, a mixture. Scores are cosines. */
  async searchWithScore(query: Input, options: SearchOptions = {}): Promise<Scored[]> {
    const { hits } = await this.#client.search(this.#collection, query, options)
    return Promise.all(hits.map(async (hit): Promise<Scored> => [await this.#document(hit), hit.score]))
  }

  override async delete({ ids }: { ids: string[] }): Promise<void> {
    for (const id of ids) await this.#client.items.delete(this.#collection, id)
  }

  addVectors(): Promise<never> {
    throw new Error('onepeace embeds what it stores: use addDocuments or addMedia.')
  }

  similaritySearchVectorWithScore(): Promise<never> {
    throw new Error('onepeace embeds what it is asked: use similaritySearch or searchWithScore.')
  }

  async #document({ id, modality, metadata, media_url }: Hit): Promise<DocumentInterface> {
    const isText = modality === 'text'
    const pageContent = isText ? await (await this.#client.items.media(this.#collection, id)).text() : ''
    return new Document({ id, pageContent, metadata: { ...metadata, modality, media_url } })
  }
}
