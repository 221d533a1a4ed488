/** `onepeace mcp` as a process, called by the official client over stdio, on a live service. */
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type CallToolResult, Client } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import sharp from 'sharp'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { PROGRAM } from '../command-line.ts'
import { type LiveServer, startServer } from '../live-server.ts'
import { writeSampleMedia } from '../sample-media.ts'
import { writeTinyBundle } from '../tiny-bundle.ts'

let server: LiveServer
let dir: string
let allowed: string
let clients: Client[] = []

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'onepeace-mcp-'))
  allowed = join(dir, 'allowed')
  await writeSampleMedia(allowed)
  await mkdir(join(dir, 'allowed-too'))
  await writeFile(join(dir, 'secret.png'), 'not for models')
  await writeFile(join(dir, 'allowed-too', 'secret.png'), 'a name that begins alike')
  await symlink(join(dir, 'secret.png'), join(allowed, 'link.png'))
  server = await startServer()
  const json = { 'content-type': 'application/json' }
  await fetch(`${server.url}/v1/collections`, { method: 'POST', headers: json, body: '{"name": "mine"}' })
})
afterEach(async () => {
  await Promise.all(clients.map((client) => client.close()))
  clients = []
})
afterAll(async () => {
  await server?.stop()
  await rm(dir, { recursive: true, force: true })
})

async function connect(args: string[], env: Record<string, string> = { ONEPEACE_URL: server.url }): Promise<Client> {
  const client = new Client({ name: 'test', version: '1.0.0' })
  clients.push(client)
  await client.connect(new StdioClientTransport({ command: process.execPath, args: [PROGRAM, 'mcp', ...args], env }))
  return client
}

async function call(client: Client, name: string, args: object) {
  const result = (await client.callTool({ name, arguments: { ...args } })) as CallToolResult
  const words = result.content.flatMap((block) => (block.type === 'text' ? [block.text] : [])).join('\n')
  return { ...result, words }
}

it('offers its tools, those that only read marked as such', async () => {
  const client = await connect(['--allow-dir', allowed])
  const { tools } = await client.listTools()
  expect(tools.map(({ name }) => name)).toEqual(['list_collections', 'search', 'embed', 'ground', 'add_item'])
  expect(tools.filter(({ annotations }) => !annotations?.readOnlyHint).map(({ name }) => name)).toEqual(['add_item'])
  expect(JSON.stringify(tools)).toContain(allowed)
})

it('keeps texts and files of the allowed folder, and finds them by words, with thumbnails', async () => {
  const client = await connect(['--url', server.url, '--allow-dir', allowed], {})
  const pizza = { collection: 'mine', file: join(allowed, 'pizza.png'), id: 'pizza', metadata: { year: 2026 } }
  expect((await call(client, 'add_item', pizza)).words).toBe("Kept as image 'pizza' in mine.")
  await call(client, 'add_item', { collection: 'mine', file: 'helicopter.wav', id: 'heli' })
  await call(client, 'add_item', { collection: 'mine', text: 'a dog on the beach', id: 'note' })
  expect((await call(client, 'list_collections', {})).words).toBe('mine: 3 items')

  const found = await call(client, 'search', { collection: 'mine', query: 'pizza', modalities: ['image'] })
  expect(found.words).toMatch(/^1\. pizza \(image, score 0\.\d+\) \{"year":2026\}$/)
  expect(found.structuredContent).toMatchObject({ hits: [{ id: 'pizza' }] })
  const picture = found.content.find((block) => block.type === 'image')!
  expect(picture).toMatchObject({ mimeType: 'image/webp' })
  const { width } = await sharp(Buffer.from((picture as { data: string }).data, 'base64')).metadata()
  expect(width).toBeLessThanOrEqual(160)

  const heard = await call(client, 'search', { collection: 'mine', file: 'helicopter.wav', limit: 1 })
  expect(heard.words).toMatch(/^1\. heli \(audio, score 1\.000\)$/)
  const like = await call(client, 'search', { collection: 'mine', item_id: 'heli', modalities: ['text'] })
  expect(like.words).toMatch(/^1\. note \(text, score .*\)\na dog on the beach$/)
  const plain = await call(client, 'search', { collection: 'mine', query: 'pizza', thumbnails: false })
  expect(plain.content.every(({ type }) => type === 'text')).toBe(true)
  const filter = { must: [{ key: 'year', range: { lt: 2000 } }] }
  expect((await call(client, 'search', { collection: 'mine', query: 'pizza', filter })).words).toBe(
    'Nothing was found.',
  )
})

it('gives vectors of texts and of a file', async () => {
  const client = await connect(['--allow-dir', allowed])
  const texts = await call(client, 'embed', { texts: ['a dog', 'a cat'] })
  const { embeddings } = texts.structuredContent as { embeddings: number[][] }
  expect(embeddings).toHaveLength(2)
  expect(Math.hypot(...embeddings[0]!)).toBeCloseTo(1, 4)
  expect(JSON.parse(texts.words)).toEqual(embeddings)
  expect((await call(client, 'embed', { file: 'dog.png' })).structuredContent).toMatchObject({ model: 'onepeace-nano' })
})

it('reads no file outside of the allowed folders, by no name and no link, and none at all by default', async () => {
  const client = await connect(['--allow-dir', allowed])
  const outside = [
    join(dir, 'secret.png'),
    '../secret.png',
    'link.png',
    join(dir, 'allowed-too', 'secret.png'),
    join(allowed, '..', 'secret.png'),
    join(dir, 'nowhere.png'),
    allowed,
  ]
  for (const file of outside) {
    const { isError, words } = await call(client, 'add_item', { collection: 'mine', file })
    expect({ file, isError, words }).toEqual({
      file,
      isError: true,
      words: `There is no file '${file}' in the allowed folders: ${allowed}.`,
    })
  }
  const none = await connect([])
  const refused = await call(none, 'embed', { file: join(allowed, 'dog.png') })
  expect(refused).toMatchObject({ isError: true, words: expect.stringContaining('--allow-dir') })
})

it('tells a model what is wrong: too little, too much, no such collection, no such ability, no service', async () => {
  const client = await connect(['--allow-dir', allowed])
  const words = async (name: string, args: object) => {
    const result = await call(client, name, args)
    expect(result.isError).toBe(true)
    return result.words
  }
  expect(await words('search', { collection: 'mine' })).toBe('Give exactly one of `query`, `file`, `item_id`.')
  expect(await words('embed', { texts: ['x'], file: 'dog.png' })).toContain('exactly one of')
  expect(await words('search', { collection: 'none', query: 'x' })).toMatch(
    /There is no collection 'none'.*\(not-found\)/,
  )
  expect(await words('ground', { file: 'rain.wav', phrases: ['a dog'] })).toMatch(
    /picture.*\(invalid-request|undecodable-media\)/,
  )
  expect(await words('ground', { phrases: ['a dog'], collection: 'mine' })).toContain('Give either `file`, or')
  const alone = await connect([], { ONEPEACE_URL: 'http://127.0.0.1:9' })
  const { words: unreachable } = await call(alone, 'list_collections', {})
  expect(unreachable).toMatch(/does not answer.*onepeace serve/)
})

it('grounds phrases in a file and in an item, where the model can', async () => {
  const { url, stop } = await startServer(['--model', await writeTinyBundle(join(dir, 'tiny'))])
  const json = { 'content-type': 'application/json' }
  await fetch(`${url}/v1/collections`, { method: 'POST', headers: json, body: '{"name": "mine"}' })
  const client = await connect(['--url', url, '--allow-dir', allowed], {})
  await call(client, 'add_item', { collection: 'mine', file: 'dog.png', id: 'dog' })
  const phrases = ['a dog', 'a cat']
  const ofFile = await call(client, 'ground', { file: 'dog.png', phrases })
  expect(ofFile.words).toMatch(
    /^Boxes as .* of 128 × 128 pixels:\na dog: \(-?\d+(, -?\d+){3}\), score -?\d\.\d\d\na cat: \(.*\)/,
  )
  expect((await call(client, 'ground', { collection: 'mine', item_id: 'dog', phrases })).words).toBe(ofFile.words)
  await stop()
})

it('sends the key of its environment', async () => {
  const { url, dataDir, stop } = await startServer()
  const { execFileSync } = await import('node:child_process')
  const args = [PROGRAM, 'keys', 'create', '--tenant', 'acme', '--scopes', 'read', '--data', dataDir]
  const key = execFileSync(process.execPath, args, { encoding: 'utf8', stdio: 'pipe' }).trim()
  const withKey = await connect(['--url', url], { ONEPEACE_API_KEY: key })
  await expect.poll(async () => (await call(withKey, 'list_collections', {})).words).toBe('There are no collections.')
  const without = await connect(['--url', url], {})
  await expect.poll(async () => (await call(without, 'list_collections', {})).words).toContain('(unauthenticated)')
  await stop()
})

it('does not start with an allowed folder that is none, or an address that is none', async () => {
  await expect(connect(['--allow-dir', join(dir, 'nowhere')])).rejects.toThrow()
  await expect(connect(['--url', 'nonsense'])).rejects.toThrow()
})
