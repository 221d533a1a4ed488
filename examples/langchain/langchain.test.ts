/** The adapters in the hands of LangChain.js itself, on a live service. */
import { Document } from '@langchain/core/documents'
import { OnepeaceClient } from 'onepeace-client'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type LiveServer, startServer } from '../../tests/live-server.ts'
import { samplePicture, sampleSound } from '../../tests/sample-media.ts'
import { OnepeaceEmbeddings } from './embeddings.ts'
import { OnepeaceVectorStore } from './vector-store.ts'

let server: LiveServer
let client: OnepeaceClient
let store: OnepeaceVectorStore

beforeAll(async () => {
  server = await startServer()
  client = new OnepeaceClient({ url: server.url })
  await client.collections.create('chain')
  store = new OnepeaceVectorStore({ client, collection: 'chain' })
})
afterAll(() => server?.stop())

it('embeds documents and queries alike', async () => {
  const embeddings = new OnepeaceEmbeddings({ client })
  const [dog, cat] = await embeddings.embedDocuments(['a dog', 'a cat'])
  expect(await embeddings.embedQuery('a dog')).toEqual(dog)
  expect(cat).not.toEqual(dog)
})

it('keeps documents and media, and retrieves them by words, filters and diversity', async () => {
  const documents = [
    new Document({ pageContent: 'a dog on the beach', metadata: { year: 2026 } }),
    new Document({ pageContent: 'a slice of pizza', metadata: { year: 2020 } }),
  ]
  expect(await store.addDocuments(documents, { ids: ['dog', 'slice'] })).toEqual(['dog', 'slice'])
  await store.addMedia(await samplePicture('pizza'), { id: 'picture', metadata: { year: 2026 } })
  await store.addMedia(sampleSound('helicopter'), { id: 'heli' })

  const [first] = await store.similaritySearch('a dog on the beach', 1)
  expect(first).toMatchObject({
    id: 'dog',
    pageContent: 'a dog on the beach',
    metadata: { year: 2026, modality: 'text' },
  })
  const filter = { must: [{ key: 'year', match: { value: 2020 } }] }
  const [[only, score]] = (await store.similaritySearchWithScore('a dog', 4, filter)) as unknown as [[Document, number]]
  expect(only.id).toBe('slice')
  expect(score).toBeLessThan(1)

  const [[heard]] = (await store.searchWithScore(sampleSound('helicopter'), { limit: 1 })) as unknown as [[Document]]
  expect(heard).toMatchObject({ id: 'heli', metadata: { media_url: '/v1/collections/chain/items/heli/media' } })
  expect(await store.maxMarginalRelevanceSearch('pizza', { k: 3, lambda: 0.2 })).toHaveLength(3)

  const retriever = store.asRetriever({ k: 2, filter: { must: [{ key: 'year', match: { value: 2026 } }] } })
  expect((await retriever.invoke('pizza')).map(({ id }) => id).sort()).toEqual(['dog', 'picture'])

  await store.delete({ ids: ['dog'] })
  expect((await store.similaritySearch('a dog', 10)).map(({ id }) => id)).not.toContain('dog')
})

it('says which document was refused, and that it takes no foreign vectors', async () => {
  const twice = [1, 2].map((n) => new Document({ id: 'same', pageContent: `text ${n}` }))
  await expect(store.addDocuments(twice)).rejects.toThrow(/Document 1 was not kept: .*same.*/)
  expect(() => store.addVectors()).toThrow('addDocuments')
  expect(() => store.similaritySearchVectorWithScore()).toThrow('similaritySearch')
})
