/** What an import is made of: sources give candidates, each read when its turn comes. */
import { createHash } from 'node:crypto'
import type { Input, Metadata } from 'onepeace-client'

/** A source cannot be read at all; the message says why. */
export class TransferError extends Error {
  override name = 'TransferError'
}

export interface Candidate {
  /** How a report names it. */
  label: string
  /** @throws Error with a sentence for the report */
  read(): Promise<Draft>
}

export interface Draft {
  id: string
  input: Input
  /** Of the bytes that the service will keep, lower-case hex; undefined where only the service can tell. */
  sha256: string | undefined
  metadata: Metadata
}

export interface Source {
  candidates: AsyncIterable<Candidate> | Iterable<Candidate>
  count: number
  /** Files that are neither picture, sound nor text. */
  leftOut: number
}

export function sha256Of(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** Bytes of a file as what the service is sent: words of a `.txt`, the file itself otherwise. @throws Error if the words are not UTF-8 */
export function contentOf(path: string, bytes: Buffer<ArrayBuffer>): Pick<Draft, 'input' | 'sha256'> {
  if (!TEXT.test(path)) return { input: new Blob([bytes]), sha256: sha256Of(bytes) }
  const text = wordsOf(bytes)
  return { input: text, sha256: sha256Of(text) }
}

function wordsOf(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new Error('The text is not UTF-8.')
  }
}

const TEXT = /\.txt$/i
const MEDIA = /\.(png|jpe?g|webp|gif|avif|tiff?|wav|aiff?|flac|mp3|ogg|oga|opus|m4a|mp4|aac|webm)$/i

/** Whether a name is one of pictures, sounds or texts. What a file really is, the service tells from its bytes. */
export function isImportable(name: string): boolean {
  return TEXT.test(name) || MEDIA.test(name)
}

/** The sentence for what the file system refused. */
export function fileFault(error: unknown): Error {
  const { code, message } = error as NodeJS.ErrnoException
  const why: Record<string, string> = {
    ENOENT: 'There is no such file.',
    EACCES: 'It may not be read by this user.',
    EISDIR: 'It is a folder.',
  }
  return new Error((code && why[code]) ?? message, { cause: error })
}
