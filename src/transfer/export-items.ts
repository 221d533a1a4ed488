/**
 * Items of a collection → a folder (`items.ndjson`, and originals in `media/` by their hash) or one NDJSON file that holds it all.
 * A line is the item as the API shows it, its vectors (`embeddings`, one a window), and its original: `text`, `file` or `input`.
 */
import { mkdir, open, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Filter, Item, OnepeaceClient } from 'onepeace-client'
import { chunksOf } from '../chunks.ts'
import { sha256Of, TransferError } from './candidate.ts'

/** Found in a folder, it is what `import` reads. */
export const ITEMS_FILE = 'items.ndjson'
const MEDIA_DIR = 'media'
const AT_ONCE = 8

export interface ExportOptions {
  filter?: Filter
  vectors: boolean
  signal?: AbortSignal
  onProgress?(done: number): void
}

/** @returns how many items were written. @throws TransferError if an original is not what its hash says, or it was stopped */
export async function exportItems(
  client: OnepeaceClient,
  collection: string,
  out: string,
  options: ExportOptions,
): Promise<number> {
  const isFile = /\.(ndjson|jsonl)$/i.test(out)
  const path = isFile ? out : join(out, ITEMS_FILE)
  await mkdir(isFile ? dirname(out) : join(out, MEDIA_DIR), { recursive: true })
  const place = (item: Item) => (isFile ? inline(client, collection, item) : inFolder(client, collection, item, out))
  return writeWhole(path, lines(client, collection, place, options))
}

/** The file appears when it is complete, not before. */
async function writeWhole(path: string, lines: AsyncIterable<string>): Promise<number> {
  const draft = `${path}.part`
  const file = await open(draft, 'w')
  let count = 0
  try {
    for await (const line of lines) {
      await file.writeFile(`${line}\n`)
      count++
    }
    await file.sync()
    await file.close()
    await rename(draft, path)
  } catch (error) {
    await file.close().catch(() => undefined)
    await rm(draft, { force: true })
    throw error
  }
  return count
}

type Original = { text: string } | { file: string } | { input: object }

async function* lines(
  client: OnepeaceClient,
  collection: string,
  place: (item: Item) => Promise<Original>,
  { filter, vectors, signal, onProgress }: ExportOptions,
): AsyncGenerator<string> {
  let done = 0
  const lineOf = async (item: Item): Promise<string> => {
    const { media_url: _, ...known } = item
    const embeddings = vectors ? { embeddings: await client.items.embeddings(collection, item.id) } : {}
    return JSON.stringify({ ...known, ...(await place(item)), ...embeddings })
  }
  for await (const items of chunksOf(client.items.list(collection, { ...(filter && { filter }) }), AT_ONCE)) {
    if (signal?.aborted) throw new TransferError('The export was stopped; what it had written of the list is removed.')
    yield* await Promise.all(items.map(lineOf))
    done += items.length
    onProgress?.(done)
  }
}

async function originalOf(client: OnepeaceClient, collection: string, item: Item): Promise<Buffer> {
  const bytes = Buffer.from(await (await client.items.media(collection, item.id)).arrayBuffer())
  if (sha256Of(bytes) === item.sha256) return bytes
  throw new TransferError(
    `The original of '${item.id}' is not what its hash says: it is damaged on the service's disk.`,
  )
}

async function inline(client: OnepeaceClient, collection: string, item: Item): Promise<Original> {
  const bytes = await originalOf(client, collection, item)
  if (item.modality === 'text') return { text: bytes.toString('utf8') }
  const data = bytes.toString('base64')
  if (item.modality === 'audio') return { input: { type: 'input_audio', input_audio: { data } } }
  return { input: { type: 'image_url', image_url: { url: `data:${item.media.mime_type};base64,${data}` } } }
}

/** What an earlier export wrote is not fetched again. */
async function inFolder(client: OnepeaceClient, collection: string, item: Item, dir: string): Promise<Original> {
  if (item.modality === 'text') return inline(client, collection, item)
  const file = `${MEDIA_DIR}/${item.sha256}.${item.media.format}`
  const path = join(dir, file)
  if ((await stat(path).catch(() => undefined))?.size !== item.bytes) {
    await writeFile(path, await originalOf(client, collection, item))
  }
  return { file }
}
