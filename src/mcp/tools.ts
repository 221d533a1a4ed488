/** What the tools do: one or two requests to the service each, answered as words and pictures for a language model. */
import type { CallToolResult } from '@modelcontextprotocol/server'
import { type Filter, type OnepeaceClient, OnepeaceError, ProblemError } from 'onepeace-client'
import { type AllowedFiles, FileRefusedError } from './allowed-files.ts'

interface Options {
  signal: AbortSignal
}

type Block = CallToolResult['content'][number]
type Hit = Awaited<ReturnType<OnepeaceClient['search']>>['hits'][number]

export interface SearchInput {
  collection: string
  query?: string | undefined
  file?: string | undefined
  item_id?: string | undefined
  modalities?: ('text' | 'image' | 'audio')[] | undefined
  filter?: Record<string, unknown> | undefined
  limit: number
  thumbnails: boolean
}

const THUMBNAIL_PX = 160
/** A text is shown up to this; the whole of it is at its media URL. */
const EXCERPT_CHARS = 500

/** A tool was called with too little or too much. */
class ToolInputError extends Error {
  override name = 'ToolInputError'
}

export class Tools {
  readonly #client: OnepeaceClient
  readonly #files: AllowedFiles

  constructor(client: OnepeaceClient, files: AllowedFiles) {
    this.#client = client
    this.#files = files
  }

  async listCollections(options: Options): Promise<CallToolResult> {
    const collections = await this.#client.collections.list(options)
    const lines = collections.map(({ name, items, metadata }) => `${name}: ${items} items${asJson(metadata)}`)
    return says(lines.length === 0 ? 'There are no collections.' : lines.join('\n'))
  }

  async search({ collection, thumbnails, limit, ...input }: SearchInput, options: Options): Promise<CallToolResult> {
    const given = only({ query: input.query, file: input.file, item_id: input.item_id })
    const query =
      given.name === 'file'
        ? await this.#files.read(given.value)
        : given.name === 'item_id'
          ? { item_id: given.value }
          : given.value
    const search = {
      limit,
      ...(input.modalities && { modalities: input.modalities }),
      ...(input.filter && { filter: input.filter as Filter }),
    }
    const { hits } = await this.#client.search(collection, query, search, options)
    if (hits.length === 0) return says('Nothing was found.')
    const blocks = await Promise.all(
      hits.map((hit, i) => this.#show(collection, hit, `${i + 1}. `, thumbnails, options)),
    )
    return { content: blocks.flat(), structuredContent: { hits } }
  }

  async embed(input: { texts?: string[] | undefined; file?: string | undefined }, options: Options) {
    const given = only({ texts: input.texts, file: input.file })
    const inputs = given.name === 'file' ? [await this.#files.read(String(given.value))] : (given.value as string[])
    const { model, data } = await this.#client.embed(inputs, {}, options)
    const embeddings = data.map(({ embedding }) => embedding)
    return { ...says(JSON.stringify(embeddings)), structuredContent: { model, embeddings } }
  }

  async ground(
    input: {
      file?: string | undefined
      collection?: string | undefined
      item_id?: string | undefined
      phrases: string[]
    },
    options: Options,
  ): Promise<CallToolResult> {
    const { file, collection, item_id: itemId, phrases } = input
    if ((file === undefined) === (collection === undefined || itemId === undefined)) {
      throw new ToolInputError('Give either `file`, or `collection` and `item_id`.')
    }
    const picture =
      file === undefined ? await this.#client.items.media(collection!, itemId!, options) : await this.#files.read(file)
    const { image, results } = await this.#client.ground(picture, phrases, {}, options)
    const lines = results.map(({ phrase, box: { x1, y1, x2, y2 }, score }) => {
      const corners = [x1, y1, x2, y2].map((value) => Math.round(value)).join(', ')
      return `${phrase}: (${corners})${score === undefined ? '' : `, score ${score.toFixed(2)}`}`
    })
    const head = `Boxes as (left, top, right, bottom) in a picture of ${image.width} × ${image.height} pixels:`
    return { ...says([head, ...lines].join('\n')), structuredContent: { image, results } }
  }

  async addItem(
    input: {
      collection: string
      text?: string | undefined
      file?: string | undefined
      id?: string | undefined
      metadata?: Record<string, unknown> | undefined
    },
    options: Options,
  ): Promise<CallToolResult> {
    const given = only({ text: input.text, file: input.file })
    const content = given.name === 'file' ? await this.#files.read(given.value) : given.value
    const about = {
      ...(input.id !== undefined && { id: input.id }),
      ...(input.metadata && { metadata: input.metadata }),
    }
    const item = await this.#client.items.add(input.collection, content, about, options)
    return { ...says(`Kept as ${item.modality} '${item.id}' in ${input.collection}.`), structuredContent: { item } }
  }

  /** What a model is told of an error: a sentence that says what to do. */
  static explain(error: unknown): string {
    if (error instanceof ProblemError) {
      const findings = error.errors.map(({ pointer, detail }) => `${pointer ?? 'the body'} ${detail}`)
      return [`${error.message} (${error.code})`, ...findings].join('\n')
    }
    if (error instanceof OnepeaceError || error instanceof FileRefusedError || error instanceof ToolInputError) {
      return error.message
    }
    if (error instanceof TypeError && error.cause !== undefined) {
      // `fetch` found nobody.
      return 'The onepeace service does not answer. Start it with `npx onepeace serve`, or say where it is with --url or ONEPEACE_URL.'
    }
    return `The tool failed: ${String(error)}`
  }

  /** A line of words; a picture as a thumbnail, a text as itself behind it. */
  async #show(collection: string, hit: Hit, number: string, thumbnails: boolean, options: Options): Promise<Block[]> {
    const { id, modality, score, metadata = {}, segment } = hit
    const when = segment ? `, ${segment.start_ms / 1000}–${segment.end_ms / 1000} s` : ''
    const line = `${number}${id} (${modality}${when}, score ${score.toFixed(3)})${asJson(metadata)}`
    if (modality === 'text') {
      const text = await (await this.#client.items.media(collection, id, options)).text()
      return [{ type: 'text', text: `${line}\n${text.slice(0, EXCERPT_CHARS)}` }]
    }
    if (modality !== 'image' || !thumbnails) return [{ type: 'text', text: line }]
    const picture = await this.#client.items.thumbnail(collection, id, { size: THUMBNAIL_PX }, options)
    const data = Buffer.from(await picture.arrayBuffer()).toString('base64')
    return [
      { type: 'text', text: line },
      { type: 'image', data, mimeType: 'image/webp' },
    ]
  }
}

function says(text: string): CallToolResult {
  return { content: [{ type: 'text', text }] }
}

function asJson(metadata: object): string {
  return Object.keys(metadata).length === 0 ? '' : ` ${JSON.stringify(metadata)}`
}

/** The one that is given. @throws ToolInputError if none or several are */
function only<T>(choices: Record<string, T | undefined>): { name: string; value: T } {
  const given = Object.entries(choices).filter(([, value]) => value !== undefined)
  const [first] = given
  if (first === undefined || given.length > 1) {
    const names = Object.keys(choices).map((name) => `\`${name}\``)
    throw new ToolInputError(`Give exactly one of ${names.join(', ')}.`)
  }
  return { name: first[0], value: first[1]! }
}
