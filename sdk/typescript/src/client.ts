/** The verbs of the service. Answers are as the contract has them; inputs may be files, Blobs, bytes and streams as well. */
import { Collections } from './collections.ts'
import { blobOf, bodyOf, type FilePart, type Input, type Media, vectorOf } from './content.ts'
import type { components } from './contract.ts'
import { Items } from './items.ts'
import { Jobs } from './jobs.ts'
import { type ClientOptions, type RequestOptions, Transport } from './transport.ts'

type Schemas = components['schemas']

export type EmbedOptions = Pick<Schemas['EmbeddingsRequest'], 'model' | 'dimensions'>
export type Embedding = Omit<Schemas['Embedding'], 'embedding'> & { embedding: number[] }
export type EmbedResponse = Omit<Schemas['EmbeddingsResponse'], 'data'> & { data: Embedding[] }
export type ClassifyOptions = Omit<Schemas['ClassifyRequest'], 'input'>
export type GroundOptions = Omit<Schemas['GroundRequest'], 'image' | 'phrases'>
export type SegmentOptions = Omit<Schemas['SegmentRequest'], 'image'>
export type AskOptions = Omit<Schemas['AskRequest'], 'input' | 'question'>
export type SearchOptions = Omit<Schemas['SearchRequest'], 'query'>
export type Picture = Media | FilePart | Schemas['PicturePart']
export interface UploadOptions extends RequestOptions {
  /** Such as `image/png`; the Blob's own by default. */
  mediaType?: string
}

export class OnepeaceClient {
  readonly collections: Collections
  readonly items: Items
  readonly jobs: Jobs
  readonly #transport: Transport

  constructor(options: ClientOptions = {}) {
    this.#transport = new Transport(options)
    this.collections = new Collections(this.#transport)
    this.items = new Items(this.#transport)
    this.jobs = new Jobs(this.#transport)
  }

  /** Every operation of the contract by its path, typed by it; without retries and errors as values (openapi-fetch). */
  get api(): Transport['api'] {
    return this.#transport.api
  }

  /** One unit vector an input, all in one space. An array is as many inputs; the vector of `inputs[i]` is `data[i]`. */
  async embed(
    inputs: Input | readonly Input[],
    options: EmbedOptions = {},
    request: RequestOptions = {},
  ): Promise<EmbedResponse> {
    const body = await bodyOf({
      contents: isList(inputs) ? inputs : [inputs],
      options: { ...options, encoding_format: 'base64' },
      json: (input) => ({ input }),
    })
    const response = (await this.#transport.send(request, (init) =>
      this.api.POST('/v1/embeddings', { body: body as never, ...init }),
    )) as Schemas['EmbeddingsResponse']
    const data = response.data.map((each) => ({ ...each, embedding: vectorOf(each.embedding as string) }))
    return { ...response, data }
  }

  /** Cosines: `scores[i][j]` is that of `a[i]` and `b[j]`. */
  async similarity(
    a: readonly Input[],
    b: readonly Input[],
    request: RequestOptions = {},
  ): Promise<Schemas['SimilarityResponse']> {
    const body = await bodyOf({
      contents: [...a, ...b],
      fields: (i) => (i < a.length ? { file: 'a', text: 'a' } : { file: 'b', text: 'b' }),
      json: (contents) => ({ a: contents.slice(0, a.length), b: contents.slice(a.length) }),
    })
    return this.#transport.send(request, (init) => this.api.POST('/v1/similarity', { body: body as never, ...init }))
  }

  /** Which of `labels` fits (zero-shot), or the classes of a fine-tuned `head`; best first. */
  async classify(
    input: Input,
    options: ClassifyOptions,
    request: RequestOptions = {},
  ): Promise<Schemas['ClassifyResponse']> {
    const body = await bodyOf({ contents: [input], options, json: ([input]) => ({ input }) })
    return this.#transport.send(request, (init) => this.api.POST('/v1/classify', { body: body as never, ...init }))
  }

  /** Where in a picture phrases are: a box each. @throws ProblemError `unsupported-by-model` without a grounding head */
  async ground(
    image: Picture,
    phrases: string[],
    options: GroundOptions = {},
    request: RequestOptions = {},
  ): Promise<Schemas['GroundResponse']> {
    const body = await bodyOf({
      contents: [image],
      options: { ...options, phrases },
      json: ([image]) => ({ image }),
    })
    return this.#transport.send(request, (init) => this.api.POST('/v1/ground', { body: body as never, ...init }))
  }

  /** Which class each part of a picture is, in runs. @throws ProblemError `unsupported-by-model` without a segmentation head */
  async segment(
    image: Picture,
    options: SegmentOptions = {},
    request: RequestOptions = {},
  ): Promise<Schemas['SegmentResponse']> {
    const body = await bodyOf({ contents: [image], options, json: ([image]) => ({ image }) })
    return this.#transport.send(request, (init) => this.api.POST('/v1/segment', { body: body as never, ...init }))
  }

  /** Answers to a question about a picture or sound, best first. @throws ProblemError `unsupported-by-model` without such a head */
  async ask(
    input: Input,
    question: string,
    options: AskOptions = {},
    request: RequestOptions = {},
  ): Promise<Schemas['AskResponse']> {
    const body = await bodyOf({ contents: [input], options: { ...options, question }, json: ([input]) => ({ input }) })
    return this.#transport.send(request, (init) => this.api.POST('/v1/ask', { body: body as never, ...init }))
  }

  /** The items nearest to a content, or to a stored item (`{ item_id }`), best first. */
  async search(
    collection: string,
    query: Input | Schemas['ItemQuery'],
    options: SearchOptions = {},
    request: RequestOptions = {},
  ): Promise<Schemas['SearchResponse']> {
    const body = isItemQuery(query)
      ? { ...options, query }
      : await bodyOf({ contents: [query], options, json: ([query]) => ({ query }), fuses: true })
    const params = { path: { collection } }
    return this.#transport.send(request, (init) =>
      this.api.POST('/v1/collections/{collection}/search', { params, body: body as never, ...init }),
    )
  }

  /**
   * Sends a picture or sound ahead, past the limit of a request's size; with storage in a bucket, past the service. The part that comes
   * back stands for it in any content, for a day.
   */
  async upload(file: Media, { mediaType, ...request }: UploadOptions = {}): Promise<Schemas['UploadPart']> {
    const blob = await blobOf(file)
    const media_type = mediaType ?? blob.type
    if (media_type === '') throw new TypeError("Say what the file is: upload(file, { mediaType: 'image/png' }).")
    const body = { bytes: blob.size, media_type }
    const { id, url, headers } = await this.#transport.send(request, (init) =>
      this.api.POST('/v1/uploads', { body, ...init }),
    )
    await this.#transport.send(request, (init) => this.#transport.put(url, headers, blob, init))
    return { type: 'upload', upload: { id } }
  }

  /** The loaded model and the limits in force. */
  models(request: RequestOptions = {}): Promise<Schemas['ModelList']> {
    return this.#transport.send(request, (init) => this.api.GET('/v1/models', init))
  }
}

function isList(inputs: Input | readonly Input[]): inputs is readonly Input[] {
  return Array.isArray(inputs)
}

function isItemQuery(query: Input | Schemas['ItemQuery']): query is Schemas['ItemQuery'] {
  return typeof query === 'object' && 'item_id' in query
}
