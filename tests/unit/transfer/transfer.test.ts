/** Imports and exports against the real API over an encoder that is fake but deterministic. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { OnepeaceClient } from 'onepeace-client'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { exportItems } from '../../../src/transfer/export-items.ts'
import { folderSource } from '../../../src/transfer/folder-source.ts'
import { importItems } from '../../../src/transfer/import-items.ts'
import { ndjsonSource } from '../../../src/transfer/ndjson-source.ts'
import { type Harness, startHarness, wav } from '../../api/harness.ts'
import { png } from '../../api/pictures.ts'

const MAX_BYTES = 1_000_000
let harness: Harness
let url: string
let client: OnepeaceClient
let dir: string

beforeEach(async () => {
  harness = await startHarness()
  url = await harness.app.listen({ host: '127.0.0.1', port: 0 })
  client = new OnepeaceClient({ url })
  await client.collections.create('mine')
  dir = await mkdtemp(join(tmpdir(), 'onepeace-transfer-'))
})
afterEach(async () => {
  await harness.close()
  await rm(dir, { recursive: true, force: true })
})

async function write(files: Record<string, string | Uint8Array>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(join(dir, path, '..'), { recursive: true })
    await writeFile(join(dir, path), content)
  }
}

async function importFolder(by = client, concurrency = 3) {
  const { candidates } = await folderSource(dir, { maxBytes: MAX_BYTES })
  return importItems(by, 'mine', candidates, { concurrency })
}

async function importLines(lines: readonly unknown[], into = 'mine') {
  await write({
    'lines.ndjson': lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n'),
  })
  const { candidates } = await ndjsonSource(join(dir, 'lines.ndjson'), MAX_BYTES)
  return importItems(client, into, candidates, { concurrency: 2 })
}

async function itemsOf(collection: string) {
  const items = []
  for await (const item of client.items.list(collection)) items.push(item)
  return items
}

const FOLDER = {
  'animals/dog.png': png(30, 20),
  'animals/dog.png.json': '{"year": 2024, "name": "Rex"}',
  'bark.wav': wav(1),
  'note.txt': 'a letter\n',
  'long.wav': wav(20),
}

it('imports pictures, sounds and texts of a folder, named by their paths, with the metadata beside them', async () => {
  await write({ ...FOLDER, '.hidden.txt': 'x', '.git/a.txt': 'x', 'paper.pdf': 'x', 'list.json': '{}' })
  const source = await folderSource(dir, { maxBytes: MAX_BYTES, prefix: 'p/' })
  expect(source).toMatchObject({ count: 4, leftOut: 2 })
  const report = await importItems(client, 'mine', source.candidates, { concurrency: 2 })
  expect(report).toEqual({ added: 4, replaced: 0, skipped: 0, failed: [] })
  const items = await itemsOf('mine')
  expect(items.map(({ id, modality }) => [id, modality])).toEqual([
    ['p/animals/dog.png', 'image'],
    ['p/bark.wav', 'audio'],
    ['p/long.wav', 'audio'],
    ['p/note.txt', 'text'],
  ])
  expect(items[0]!.metadata).toEqual({ path: 'animals/dog.png', folder: 'animals', name: 'Rex', year: 2024 })
  expect(await (await client.items.media('mine', 'p/note.txt')).text()).toBe('a letter\n')
})

it('skips what is there unchanged, and replaces what has other bytes or metadata', async () => {
  await write(FOLDER)
  await importFolder()
  expect(await importFolder()).toEqual({ added: 0, replaced: 0, skipped: 4, failed: [] })
  await write({ 'note.txt': 'another', 'bark.wav.json': '{"loud": true}', 'new.txt': 'new' })
  expect(await importFolder()).toEqual({ added: 1, replaced: 2, skipped: 2, failed: [] })
  expect((await client.items.get('mine', 'bark.wav')).metadata).toMatchObject({ loud: true })
})

it('lists what fails, each with its reason, and keeps the rest', async () => {
  await write({
    'a.txt': 'fine',
    'bytes.txt': Uint8Array.of(0xff, 0xfe),
    'damaged.png': png(30, 20).subarray(0, 40),
    'large.wav': new Uint8Array(MAX_BYTES + 1),
    'sidecar.txt': 'x',
    'sidecar.txt.json': '[1]',
  })
  const { added, failed } = await importFolder()
  expect(added).toBe(1)
  expect(Object.fromEntries(failed.map(({ source, reason }) => [source, reason]))).toEqual({
    'bytes.txt': expect.stringContaining('UTF-8'),
    'damaged.png': expect.stringContaining('cannot be decoded'),
    'large.wav': expect.stringContaining('at most 1000000'),
    'sidecar.txt': expect.stringContaining('no JSON object'),
  })
})

it('waits as the service asks, and tries again', async () => {
  await write({ 'a.txt': 'a', 'b.txt': 'b' })
  let refused = 0
  const busy = async (request: Request) => {
    if (request.method !== 'PUT' || refused === 2) return fetch(request)
    refused++
    return new Response('', { status: 429, headers: { 'retry-after': '0' } })
  }
  expect(await importFolder(new OnepeaceClient({ url, fetch: busy }))).toMatchObject({ added: 2, failed: [] })
  expect(refused).toBe(2)
})

it('stops when the service is gone, or refuses everything, and says so once', async () => {
  await write({ 'a.txt': 'a', 'b.txt': 'b', 'c.txt': 'c' })
  const gone = async (request: Request) => {
    if (request.method !== 'PUT') return fetch(request)
    throw new TypeError('fetch failed')
  }
  const report = await importFolder(new OnepeaceClient({ url, fetch: gone, maxRetries: 0 }), 1)
  expect(report).toMatchObject({ added: 0, failed: [], stopped: expect.stringContaining('cannot be reached') })
})

it('begins nothing once it is told to stop', async () => {
  await write({ 'a.txt': 'a' })
  const { candidates } = await folderSource(dir, { maxBytes: MAX_BYTES })
  const report = await importItems(client, 'mine', candidates, { concurrency: 2, signal: AbortSignal.abort() })
  expect(report).toMatchObject({ added: 0, stopped: expect.any(String) })
})

it('reads lines of files, texts and parts, whose id is where they come from if they have none', async () => {
  await write({ 'media/dog.png': png(30, 20) })
  const part = { type: 'image_url', image_url: { url: `data:image/png;base64,${png(8, 8).toString('base64')}` } }
  const lines = [
    { file: 'media/dog.png', metadata: { year: 2024 } },
    '',
    { id: 'words', text: 'a dog' },
    { id: 'part', input: part, ignored: true },
    { text: 'without an id' },
  ]
  expect(await importLines(lines)).toMatchObject({ added: 4, failed: [] })
  expect(await importLines(lines)).toMatchObject({ added: 0, skipped: 4 })
  const ids = (await itemsOf('mine')).map(({ id }) => id)
  expect(ids).toEqual(expect.arrayContaining(['media/dog.png', 'part', 'words']))
  expect((await client.items.get('mine', 'media/dog.png')).metadata).toEqual({ year: 2024 })
})

it('refuses lines that say nothing, name a file outside of the folder, or repeat an id', async () => {
  const lines = [
    '{"id": ',
    { id: 'none' },
    { id: 'two', text: 'a', file: 'b' },
    { id: 3, text: 'a' },
    { id: 'outside', file: '/etc/hostname' },
    { id: 'missing', file: 'nothing.png' },
    { id: 'metadata', text: 'a', metadata: 'b' },
    { id: 'same', text: 'a' },
    { id: 'same', text: 'b' },
  ]
  const { added, failed } = await importLines(lines)
  expect(added).toBe(1)
  expect(failed).toHaveLength(8)
  const reasons = failed.map(({ reason }) => reason).join('\n')
  for (const part of ['JSON object', 'exactly one', 'must be a string', 'not within', 'no such file', "id 'same'"]) {
    expect(reasons).toContain(part)
  }
})

it.each(['out', 'out.ndjson'])(
  'exports what an import reads back: the same items, originals and vectors (%s)',
  async (name) => {
    await write(FOLDER)
    await importFolder()
    const out = join(dir, 'export', name)
    expect(await exportItems(client, 'mine', out, { vectors: true })).toBe(4)
    const path = name === 'out' ? join(out, 'items.ndjson') : out
    const lines = (await readFile(path, 'utf8'))
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(lines.map(({ embeddings, segments }) => [embeddings.length, segments?.length ?? 1])).toEqual(
      expect.arrayContaining([
        [1, 1],
        [2, 2],
      ]),
    )

    await client.collections.create('copy')
    const { candidates } = await ndjsonSource(path, MAX_BYTES)
    expect(await importItems(client, 'copy', candidates, { concurrency: 2 })).toMatchObject({ added: 4, failed: [] })
    const plain = (items: Awaited<ReturnType<typeof itemsOf>>) =>
      items.map(({ created_at: _, media_url: __, ...item }) => item)
    expect(plain(await itemsOf('copy'))).toEqual(plain(await itemsOf('mine')))
    for (const { id, embeddings } of lines) expect(await client.items.embeddings('copy', id)).toEqual(embeddings)
  },
)
