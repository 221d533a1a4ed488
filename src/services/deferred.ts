/** A request that is answered by a job (`Prefer: respond-async`), as bytes that outlive the process; and its answer, as JSON. */
import type { Content, ContentPart, EncodedContent } from './content.ts'
import type { ItemDraft } from './index-items.ts'

export interface DeferredEmbeddings {
  contents: readonly Content[]
  model?: string | undefined
  dimensions?: number | undefined
  /** How the client wants them written; nobody here looks at it. */
  encodingFormat?: string | undefined
}

export interface DeferredItem extends ItemDraft {
  collection: string
  /** One is made if absent. */
  id?: string | undefined
}

type PlainPart =
  | Exclude<ContentPart, { bytes: Uint8Array }>
  | { base64: string; expected?: 'image' | 'audio'; weight: number }

/** JSON without newlines; media as base64. */
export function written(deferred: DeferredEmbeddings | DeferredItem): Buffer {
  const plain = (content: Content) => content.map(plainPart)
  if ('contents' in deferred)
    return Buffer.from(JSON.stringify({ ...deferred, contents: deferred.contents.map(plain) }))
  return Buffer.from(JSON.stringify({ ...deferred, content: plain(deferred.content) }))
}

export function readDeferred<T extends DeferredEmbeddings | DeferredItem>(bytes: Uint8Array): T {
  const json = JSON.parse(Buffer.from(bytes).toString())
  const content = (parts: PlainPart[]) => parts.map(partOf)
  if ('contents' in json) return { ...json, contents: json.contents.map(content) }
  return { ...json, content: content(json.content) }
}

function plainPart(part: ContentPart): PlainPart {
  if (part.kind !== 'media') return part
  const { bytes, expected, weight } = part
  return { base64: Buffer.from(bytes).toString('base64'), ...(expected && { expected }), weight }
}

function partOf(plain: PlainPart): ContentPart {
  if (!('base64' in plain)) return plain
  const { base64, ...rest } = plain
  return { kind: 'media', bytes: Buffer.from(base64, 'base64'), ...rest }
}

/** What embeddings are kept as until someone reads them. */
export interface DeferredVectors {
  model: string
  encodingFormat?: string | undefined
  encoded: (Omit<EncodedContent, 'vector'> & { vector: string })[]
}

/** Little-endian float32 in base64. */
export function vectorsWritten(
  encoded: readonly EncodedContent[],
  model: string,
  encodingFormat?: string,
): DeferredVectors {
  const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array) => Buffer.from(buffer, byteOffset, byteLength)
  return {
    model,
    encodingFormat,
    encoded: encoded.map((each) => ({ ...each, vector: bytesOf(each.vector).toString('base64') })),
  }
}

export function vectorsRead({ encoded }: DeferredVectors): EncodedContent[] {
  return encoded.map((each) => {
    const bytes = Buffer.from(each.vector, 'base64')
    return { ...each, vector: new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length)) }
  })
}
