/**
 * An NDJSON file as a source: an item a line, as `export` writes them or by hand.
 *
 *   {"id": "…", "file": "media/dog.png" | "text": "…" | "input": a text or part as in the API, "metadata": {…}}
 *
 * Paths are relative to the file and stay within its folder: a file from somebody else must not name yours. Further fields are ignored.
 */
import { createReadStream } from 'node:fs'
import { realpath } from 'node:fs/promises'
import { dirname, resolve, sep } from 'node:path'
import { createInterface } from 'node:readline'
import type { Metadata, Part } from 'onepeace-client'
import { type Candidate, contentOf, type Draft, fileFault, type Source, sha256Of, TransferError } from './candidate.ts'
import { readBounded } from './folder-source.ts'

interface Line {
  id?: unknown
  file?: unknown
  text?: unknown
  input?: unknown
  metadata?: unknown
}

/** @throws TransferError if it cannot be read */
export async function ndjsonSource(path: string, maxBytes: number): Promise<Source> {
  let count = 0
  try {
    for await (const _ of linesOf(path)) count++
  } catch (error) {
    throw new TransferError(`${path} cannot be read: ${fileFault(error).message}`)
  }
  return { candidates: candidatesOf(path, maxBytes), count, leftOut: 0 }
}

async function* candidatesOf(path: string, maxBytes: number): AsyncGenerator<Candidate> {
  let number = 0
  for await (const text of linesOf(path)) {
    number++
    yield { label: `line ${number}`, read: () => draftOf(text, dirname(path), maxBytes) }
  }
}

/** Those that are not blank. */
async function* linesOf(path: string): AsyncGenerator<string> {
  for await (const line of createInterface({ input: createReadStream(path), crlfDelay: Infinity })) {
    if (line.trim() !== '') yield line
  }
}

async function draftOf(text: string, dir: string, maxBytes: number): Promise<Draft> {
  const { id, metadata, ...line } = parsedLine(text)
  const { input, sha256, name } = await contentOfLine(line, dir, maxBytes)
  if (id !== undefined && typeof id !== 'string') throw new Error('`id` must be a string.')
  return { id: id ?? name, input, sha256, metadata: metadataOf(metadata) }
}

function parsedLine(text: string): Line {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  } catch {}
  throw new Error('It is no JSON object.')
}

function metadataOf(value: unknown): Metadata {
  if (value === undefined) return {}
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Metadata
  throw new Error('`metadata` must be a JSON object.')
}

/** `name` is the id of a line that has none: where the content comes from, or its hash. */
type LineContent = Pick<Draft, 'input' | 'sha256'> & { name: string }

async function contentOfLine({ file, text, input }: Line, dir: string, maxBytes: number): Promise<LineContent> {
  const given = [file, text, input].filter((value) => value !== undefined)
  if (given.length !== 1) throw new Error('It must have exactly one of `file`, `text` and `input`.')
  if (typeof file === 'string') return { ...(await contentOfFile(file, dir, maxBytes)), name: file }
  const words = text ?? input
  if (typeof words === 'string') return { input: words, sha256: sha256Of(words), name: sha256Of(words) }
  if (typeof input !== 'object' || input === null) throw new Error('`file` and `text` must be strings.')
  return contentOfPart(input as Part)
}

async function contentOfFile(file: string, dir: string, maxBytes: number): Promise<Pick<Draft, 'input' | 'sha256'>> {
  const path = await realpath(resolve(dir, file)).catch((error: unknown) => {
    throw fileFault(error)
  })
  if (!path.startsWith((await realpath(dir)) + sep))
    throw new Error(`${file} is not within the folder of the NDJSON file.`)
  return contentOf(path, await readBounded(path, maxBytes))
}

/** Inline bytes are hashed as the service will; what stands at an address only the service sees. */
function contentOfPart(part: Part): LineContent {
  if (part.type === 'text') return { input: part, sha256: sha256Of(part.text), name: sha256Of(part.text) }
  if (part.type === 'upload') return { input: part, sha256: undefined, name: part.upload.id }
  if (part.type === 'input_audio') return { input: part, ...inline(part.input_audio.data) }
  const url = part.type === 'image_url' ? part.image_url.url : part.audio_url.url
  const [, base64] = /^data:[^,]*;base64,(.*)$/s.exec(url) ?? []
  return base64 === undefined ? { input: part, sha256: undefined, name: url } : { input: part, ...inline(base64) }
}

function inline(base64: string): Pick<LineContent, 'sha256' | 'name'> {
  const sha256 = sha256Of(Buffer.from(base64, 'base64'))
  return { sha256, name: sha256 }
}
