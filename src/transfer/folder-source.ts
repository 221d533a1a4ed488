/**
 * A folder as a source: every picture, sound and text below it. The id is the path within the folder; metadata are `path`, `name`
 * and `folder`, and whatever `<file>.json` beside the file says (a JSON object, which wins).
 */
import { readdir, readFile, stat } from 'node:fs/promises'
import { basename, dirname, join, relative, sep } from 'node:path'
import type { Metadata } from 'onepeace-client'
import {
  type Candidate,
  contentOf,
  type Draft,
  fileFault,
  isImportable,
  type Source,
  TransferError,
} from './candidate.ts'

export interface FolderOptions {
  /** Bytes of the largest file that is sent. */
  maxBytes: number
  /** Put before each id. */
  prefix?: string | undefined
}

/** Hidden files and folders, and links to folders, are left out; order is that of the paths. @throws TransferError */
export async function folderSource(dir: string, options: FolderOptions): Promise<Source> {
  const found: string[] = []
  let leftOut = 0
  for (const path of await filesBelow(dir)) {
    if (isImportable(path)) found.push(path)
    else if (!isImportable(path.replace(/\.json$/i, ''))) leftOut++
  }
  const candidates = found.map((path) => candidateOf(path, relative(dir, path).split(sep).join('/'), options))
  return { candidates, count: found.length, leftOut }
}

/** One file as a source; its id is its name. */
export function fileSource(path: string, options: FolderOptions): Source {
  return { candidates: [candidateOf(path, basename(path), options)], count: 1, leftOut: 0 }
}

async function filesBelow(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { withFileTypes: true }).catch((error: unknown) => {
    throw new TransferError(`The folder ${dir} cannot be read: ${fileFault(error).message}`)
  })
  const paths: string[] = []
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (entry.name.startsWith('.')) continue
    const path = join(dir, entry.name)
    if (entry.isDirectory()) paths.push(...(await filesBelow(path)))
    else if (entry.isFile() || (entry.isSymbolicLink() && (await isFile(path)))) paths.push(path)
  }
  return paths
}

async function isFile(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isFile() ?? false
}

function candidateOf(file: string, path: string, options: FolderOptions): Candidate {
  return { label: path, read: () => draftOf(file, path, options) }
}

async function draftOf(file: string, path: string, { prefix = '', maxBytes }: FolderOptions): Promise<Draft> {
  const bytes = await readBounded(file, maxBytes)
  const metadata = { ...metadataOf(path), ...(await sidecarOf(file)) }
  return { id: `${prefix}${path}`, ...contentOf(file, bytes), metadata }
}

/** @throws Error if the file cannot be read or is larger than a request may be */
export async function readBounded(path: string, maxBytes: number): Promise<Buffer<ArrayBuffer>> {
  try {
    const { size } = await stat(path)
    if (size > maxBytes) throw new Error(`It has ${size} bytes; the service takes at most ${maxBytes}.`)
    return await readFile(path)
  } catch (error) {
    throw fileFault(error)
  }
}

function metadataOf(path: string): Metadata {
  const folder = dirname(path)
  return { path, name: basename(path), ...(folder !== '.' && { folder }) }
}

/** @throws Error if there is one that is no JSON object */
async function sidecarOf(path: string): Promise<Metadata> {
  const text = await readFile(`${path}.json`, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw fileFault(error)
  })
  if (text === undefined) return {}
  const value = parsed(text)
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Metadata
  throw new Error(`${basename(path)}.json is no JSON object; metadata must be one.`)
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
