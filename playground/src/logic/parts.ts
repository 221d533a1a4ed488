/** The parts of a query, as chips show them, and the request they make. */
import type { ApiCall, FormField, Schemas } from '../api/call.ts'

export type Modality = Schemas['Modality']

/** What a file looks like before the service has seen it; `file` is anything else, for the service to judge. */
export type FileKind = 'image' | 'audio' | 'file'

export type Content = { kind: 'text'; text: string } | { kind: FileKind; file: Blob; name: string }

export type Part = Content & {
  /** For lists only. */
  key: number
  weight: number
}

export interface SearchOptions {
  modalities: readonly Modality[]
  limit: number
  diversity: number
  /** Ask for the box of the words in each picture. */
  ground: boolean
}

const WEIGHT_STEP = 0.5
export const MAX_WEIGHT = 3

/** One step up or down, within bounds. */
export function stepped(weight: number, steps: number): number {
  const next = Math.round((weight + steps * WEIGHT_STEP) * 10) / 10
  return Math.max(-MAX_WEIGHT, Math.min(MAX_WEIGHT, next))
}

/** With its sign, and a true minus: `+1`, `−0.5`. */
export function signed(weight: number): string {
  return weight < 0 ? `−${-weight}` : `+${weight}`
}

const SOUND_NAME = /\.(wav|flac|mp3|ogg|oga|opus|m4a|aac)$/i
const PICTURE_NAME = /\.(png|jpe?g|webp|gif|avif|tiff?)$/i

export function kindOfFile({ type, name }: { type: string; name: string }): FileKind {
  if (type.startsWith('image/') || PICTURE_NAME.test(name)) return 'image'
  if (type.startsWith('audio/') || SOUND_NAME.test(name)) return 'audio'
  return 'file'
}

/** Whether `ground` could be asked for: it looks for the one text of the query. */
export function isGroundable(parts: readonly Part[]): boolean {
  return parts.filter((part) => part.kind === 'text' && part.weight > 0).length === 1
}

export function searchCall(collection: string, parts: readonly Part[], options: SearchOptions): ApiCall {
  const ground = options.ground && isGroundable(parts)
  if (parts.every((part) => part.kind === 'text')) {
    const body = { query: textQuery(parts), ...optionFields(options), ...(ground && { ground: true }) }
    return { method: 'POST', path: searchPath(collection), json: body }
  }
  const isWeighted = parts.some(({ weight }) => weight !== 1)
  const form = [
    ...parts.map(fieldOf),
    ...(isWeighted ? parts.map(({ weight }) => ({ name: 'weight', text: String(weight) })) : []),
    ...Object.entries(optionFields(options)).flatMap(([name, value]) =>
      [value].flat().map((one) => ({ name, text: String(one) })),
    ),
    ...(ground ? [{ name: 'ground', text: 'true' }] : []),
  ]
  return { method: 'POST', path: searchPath(collection), form }
}

/** More like an item of the collection. */
export function likeCall(collection: string, itemId: string, options: SearchOptions): ApiCall {
  return {
    method: 'POST',
    path: searchPath(collection),
    json: { query: { item_id: itemId }, ...optionFields(options) },
  }
}

function searchPath(collection: string): string {
  return `/v1/collections/${encodeURIComponent(collection)}/search`
}

function textQuery(parts: readonly Part[]): Schemas['SearchRequest']['query'] {
  const texts = parts.filter((part) => part.kind === 'text')
  const [only, ...others] = texts
  if (only && others.length === 0 && only.weight === 1) return only.text
  return { content: texts.map(({ text, weight }) => ({ type: 'text', text, ...(weight !== 1 && { weight }) })) }
}

function optionFields({ modalities, limit, diversity }: SearchOptions) {
  return {
    ...(modalities.length > 0 && { modalities: [...modalities] }),
    limit,
    ...(diversity > 0 && { diversity }),
  }
}

/** A content as a field of a form, named as every route names it. */
export function fieldOf(content: Content): FormField {
  if (content.kind === 'text') return { name: 'text', text: content.text }
  return { name: 'file', file: content.file, fileName: content.name }
}
