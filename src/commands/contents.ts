/** Arguments as contents: files by their path, words otherwise. */
import { readFile, stat } from 'node:fs/promises'
import type { FilePart, Input, Part } from 'onepeace-client'
import { ConfigError } from '../config.ts'

/** Names that are meant as files: taking them for words because of a typing error would surprise. */
export const LOOKS_LIKE_A_FILE = /\.(png|jpe?g|webp|gif|avif|tiff?|wav|flac|mp3|ogg|opus|m4a|aac)$/i

/** @throws ConfigError if there is no such file */
export async function fileOf(path: string): Promise<Blob> {
  try {
    return new Blob([await readFile(path)])
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new ConfigError(code === 'ENOENT' ? `There is no file ${path}.` : `${path} cannot be read (${code}).`)
  }
}

/** A file if there is one of that name, else words. @throws ConfigError */
export async function fileOrText(argument: string): Promise<Blob | string> {
  const found = await stat(argument).catch(() => undefined)
  if (found?.isFile() || (found === undefined && LOOKS_LIKE_A_FILE.test(argument))) return fileOf(argument)
  return argument
}

/** Words and files as one content. @throws ConfigError if there is nothing */
export async function contentOf(words: string, files: readonly string[]): Promise<Input> {
  const parts: (Part | FilePart)[] = words === '' ? [] : [{ type: 'text', text: words }]
  for (const path of files) parts.push({ type: 'file', file: await fileOf(path) })
  if (parts.length === 0) throw new ConfigError('Give words, --image, --audio or --like to search with.')
  return parts.length === 1 && words !== '' ? words : { content: parts }
}
