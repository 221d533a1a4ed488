/** Content as the contract writes it → content as services take it. Data URLs and base64 are decoded here, strictly. */
import type { Content, ContentPart } from '../services/content.ts'
import { invalid, type Schemas } from './openapi.ts'

type Wire = Schemas['Content']
type WirePart = Schemas['Part']

/** Who asks, and hence whose uploads are meant. */
export type Caller = { tenant: string }

/** @param pointer where it stands in the body, for the message. @throws HttpProblem `invalid-request` */
export function contentOf(wire: Wire, pointer: string, caller: Caller): Content {
  if (typeof wire === 'string') return [{ kind: 'text', text: wire, weight: 1 }]
  if ('content' in wire) return wire.content.map((part, i) => partOf(part, `${pointer}/content/${i}`, caller))
  return [partOf(wire, pointer, caller)]
}

export function contentsOf(wires: readonly Wire[], pointer: string, caller: Caller): Content[] {
  return wires.map((wire, i) => contentOf(wire, `${pointer}/${i}`, caller))
}

function partOf(part: WirePart, pointer: string, { tenant }: Caller): ContentPart {
  const weight = part.weight ?? 1
  switch (part.type) {
    case 'text':
      return { kind: 'text', text: part.text, weight }
    case 'image_url':
      return referred('image', part.image_url.url, `${pointer}/image_url/url`, weight)
    case 'audio_url':
      return referred('audio', part.audio_url.url, `${pointer}/audio_url/url`, weight)
    case 'input_audio':
      return media('audio', bytesOfBase64(part.input_audio.data, `${pointer}/input_audio/data`), weight)
    case 'upload':
      return { kind: 'upload', id: part.upload.id, tenant, weight }
  }
}

function media(expected: 'image' | 'audio', bytes: Uint8Array, weight: number): ContentPart {
  return { kind: 'media', expected, bytes, weight }
}

function referred(expected: 'image' | 'audio', url: string, pointer: string, weight: number): ContentPart {
  if (/^https?:/i.test(url)) return { kind: 'remote', url, expected, weight }
  return media(expected, bytesOfUrl(url, pointer), weight)
}

function bytesOfUrl(url: string, pointer: string): Uint8Array {
  const comma = url.indexOf(',')
  const head = url.slice(0, comma)
  if (comma < 0 || comma > 256 || !/^data:[^,]*;base64$/i.test(head)) {
    throw refused(pointer, 'The URL must be `https://…`, `http://…` or `data:[<MIME type>];base64,<data>`.')
  }
  return bytesOfBase64(url.slice(comma + 1), pointer)
}

/** RFC 4648 §4 to the letter: no white space, padded. Node's own decoder would skip over anything. */
function bytesOfBase64(text: string, pointer: string): Uint8Array {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) {
    throw refused(pointer, 'The data is not base64: it needs the standard alphabet, padding, and nothing else.')
  }
  return Buffer.from(text, 'base64')
}

function refused(pointer: string, detail: string) {
  return invalid(detail, [{ pointer, detail }])
}
