/** One data folder, the embedded store and Qdrant servers in turn: no change of store costs an original. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openServices } from '../../src/commands/compose.ts'
import { loadConfig } from '../../src/config.ts'
import { type QdrantStub, startQdrantStub } from '../qdrant-stub/server.ts'

let dir: string
let stub: QdrantStub
let empty: QdrantStub
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'onepeace-stores-'))
  stub = await startQdrantStub()
  empty = await startQdrantStub()
})
afterAll(async () => {
  await Promise.all([stub.close(), empty.close()])
  await rm(dir, { recursive: true, force: true })
})

type Tenant = ReturnType<Awaited<ReturnType<typeof openServices>>['forTenant']>

async function withStore<T>(qdrantUrl: string | undefined, use: (tenant: Tenant) => Promise<T>): Promise<T> {
  const env = { ONEPEACE_DATA: dir, ...(qdrantUrl && { QDRANT_URL: qdrantUrl }) }
  const services = await openServices(loadConfig({}, env))
  try {
    return await use(services.forTenant('default'))
  } finally {
    await services.close()
  }
}

const draft = { content: [{ kind: 'text' as const, text: 'the same words in every store', weight: 1 }] }
const original = async ({ items }: Tenant) => text(await (await items.media('c', 'kept')).read())
const fill = async ({ collections, items }: Tenant) => {
  await collections.create('c')
  await items.put('c', 'kept', draft)
}

it('keeps the originals of each store through starts with another, and through deletions there', async () => {
  await withStore(undefined, fill)
  await withStore(stub.url, fill)
  await withStore(empty.url, async () => {})
  expect(await withStore(stub.url, original)).toBe('the same words in every store')
  await withStore(stub.url, ({ items }) => items.delete('c', 'kept'))
  expect(await withStore(undefined, original)).toBe('the same words in every store')
})
