/** onepeace's vectors for LangChain.js. */
import { Embeddings, type EmbeddingsParams } from '@langchain/core/embeddings'
import type { OnepeaceClient } from 'onepeace-client'

/** Texts a request, the service's default limit. */
const MAX_TEXTS = 2048

export interface OnepeaceEmbeddingsParams extends EmbeddingsParams {
  client: OnepeaceClient
}

export class OnepeaceEmbeddings extends Embeddings<number[]> {
  readonly #client: OnepeaceClient

  constructor({ client, ...params }: OnepeaceEmbeddingsParams) {
    super(params)
    this.#client = client
  }

  /** Unit vectors, in the order of the texts; a text counts up to its 70th token. */
  async embedDocuments(texts: string[]): Promise<number[][]> {
    const vectors: number[][] = []
    for (let i = 0; i < texts.length; i += MAX_TEXTS) {
      const { data } = await this.#client.embed(texts.slice(i, i + MAX_TEXTS))
      vectors.push(...data.map(({ embedding }) => embedding))
    }
    return vectors
  }

  async embedQuery(text: string): Promise<number[]> {
    const { data } = await this.#client.embed(text)
    return data[0]!.embedding
  }
}
