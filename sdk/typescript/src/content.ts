/**
 * What a caller has (words, Blobs, bytes, streams, parts of the contract) → what a request holds. A form carries files as they
 * are; where a form cannot say it (weights outside of search, parts by address) they travel in JSON, base64.
 */
import type { components } from './contract.ts'

type Schemas = components['schemas']
export type Part = Schemas['Part']
export type Content = Schemas['Content']

/** Bytes of a picture or sound. The service tells which from the bytes; a name or type of theirs does not matter. */
export type Media = Blob | ArrayBuffer | Uint8Array | ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>

/** A file as one part of several; `weight` is how much it counts, 1 by default. */
export interface FilePart {
  type: 'file'
  file: Media
  weight?: number
}

/** A text, a file, a part, or several weighted parts that make one vector. */
export type Input = string | Media | Part | FilePart | { content: (Part | FilePart)[] }

/** A part whose bytes are at hand. */
type ReadyPart = Exclude<Part, { type: 'text' }> | { type: 'text'; text: string; weight?: number } | ReadyFile
type ReadyFile = { type: 'file'; blob: Blob; weight?: number }
type FormPart = Extract<ReadyPart, { type: 'text' | 'file' }>

export interface BodySpec {
  contents: readonly Input[]
  /** The body's other fields. */
  options?: object
  /** The fields of the contents in JSON. */
  json(contents: Content[]): object
  /** Names of the form's fields of the content at an index; `file` and `text` by default. */
  fields?(index: number): { file: string; text: string }
  /** Whether a form makes its fields the weighted parts of one content, as a search does. */
  fuses?: boolean
}

/** @returns a form if there are files and a form can say it all, else what becomes JSON */
export async function bodyOf(spec: BodySpec): Promise<FormData | object> {
  const contents = await Promise.all(spec.contents.map(readyParts))
  const form = formOf(contents, spec)
  if (form) return form
  return { ...spec.options, ...spec.json(await Promise.all(contents.map(wireContent))) }
}

/** As JSON has it: files as base64. */
export async function contentOf(input: Input): Promise<Content> {
  return wireContent(await readyParts(input))
}

async function readyParts(input: Input): Promise<ReadyPart[]> {
  if (typeof input === 'string') return [{ type: 'text', text: input }]
  if (isMedia(input)) return [{ type: 'file', blob: await blobOf(input) }]
  const parts = 'content' in input ? input.content : [input]
  return Promise.all(parts.map(readyPart))
}

async function readyPart(part: Part | FilePart): Promise<ReadyPart> {
  if (part.type !== 'file') return part as ReadyPart
  const { file, ...rest } = part
  return { ...rest, blob: await blobOf(file) }
}

function isMedia(input: Exclude<Input, string>): input is Media {
  return input instanceof Blob || input instanceof ArrayBuffer || ArrayBuffer.isView(input) || isStream(input)
}

function isStream(input: object): input is ReadableStream<Uint8Array> | AsyncIterable<Uint8Array> {
  return input instanceof ReadableStream || Symbol.asyncIterator in input
}

/** Streams are read to their end, for a request may have to be sent again. */
export async function blobOf(media: Media): Promise<Blob> {
  if (media instanceof Blob) return media
  if (media instanceof ReadableStream) return new Response(media as ReadableStream<Uint8Array<ArrayBuffer>>).blob()
  if (media instanceof ArrayBuffer || ArrayBuffer.isView(media)) return new Blob([media as Uint8Array<ArrayBuffer>])
  const chunks: Uint8Array<ArrayBuffer>[] = []
  for await (const chunk of media) chunks.push(chunk as Uint8Array<ArrayBuffer>)
  return new Blob(chunks)
}

/** @returns undefined where a form is not needed or not enough */
function formOf(contents: ReadyPart[][], { fields = () => FIELDS, fuses, options }: BodySpec): FormData | undefined {
  const hasFiles = contents.some((parts) => parts.some(({ type }) => type === 'file'))
  const isSayable = contents.every((parts) => parts.every(isFormPart) && (fuses || isPlain(parts)))
  if (!hasFiles || !isSayable) return undefined
  const form = new FormData()
  for (const [index, parts] of (contents as FormPart[][]).entries()) {
    const names = fields(index)
    const isWeighted = parts.some(({ weight }) => weight !== undefined)
    for (const part of parts) {
      if (part.type === 'file') form.append(names.file, part.blob, 'file')
      else form.append(names.text, part.text)
      if (isWeighted) form.append('weight', String(part.weight ?? 1))
    }
  }
  for (const [name, value] of Object.entries(options ?? {})) appendOption(form, name, value)
  return form
}

const FIELDS = { file: 'file', text: 'text' }

function isFormPart(part: ReadyPart): part is FormPart {
  return part.type === 'file' || part.type === 'text'
}

function isPlain(parts: ReadyPart[]): boolean {
  return parts.length === 1 && parts[0]!.weight === undefined
}

/** In a form an array is a field a member, and what is no string is written as JSON. */
function appendOption(form: FormData, name: string, value: unknown): void {
  if (value === undefined) return
  for (const each of Array.isArray(value) ? value : [value]) {
    form.append(name, typeof each === 'string' ? each : JSON.stringify(each))
  }
}

async function wireContent(parts: ReadyPart[]): Promise<Content> {
  const wire = await Promise.all(parts.map((part) => (part.type === 'file' ? wireFile(part) : part)))
  const [only] = wire
  if (wire.length !== 1 || only === undefined) return { content: wire }
  return only.type === 'text' && only.weight === undefined ? only.text : only
}

async function wireFile({ blob, ...rest }: ReadyFile): Promise<Part> {
  const bytes = new Uint8Array(await blob.arrayBuffer())
  const weight = rest.weight === undefined ? {} : { weight: rest.weight }
  const data = base64Of(bytes)
  if (!isPicture(bytes)) return { type: 'input_audio', input_audio: { data }, ...weight }
  return { type: 'image_url', image_url: { url: `data:image/*;base64,${data}` }, ...weight }
}

/** First bytes of PNG, JPEG, GIF, TIFF in two byte orders, WebP, AVIF. Anything else is sent as a sound. */
const PICTURE = /^(\x89PNG|\xff\xd8\xff|GIF8|II\*\0|MM\0\*|RIFF.{4}WEBP|.{4}ftyp(avif|avis|mif1))/s

function isPicture(bytes: Uint8Array): boolean {
  return PICTURE.test(String.fromCharCode(...bytes.subarray(0, 16)))
}

const BASE64_CHUNK = 0x6000 // a multiple of 3, and few enough arguments for a call

function base64Of(bytes: Uint8Array): string {
  let text = ''
  for (let i = 0; i < bytes.length; i += BASE64_CHUNK) {
    text += btoa(String.fromCharCode(...bytes.subarray(i, i + BASE64_CHUNK)))
  }
  return text
}

/** Little-endian float32, as the service sends vectors when asked for base64: a fourth of their length as digits. */
export function vectorOf(base64: string): number[] {
  const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0))
  const view = new DataView(bytes.buffer)
  return Array.from({ length: bytes.length / 4 }, (_, i) => view.getFloat32(i * 4, true))
}
