import { expect, it } from 'vitest'
import { vectorStoreOf } from '../../../src/commands/compose.ts'
import { LanceVectorStore } from '../../../src/vectors/lancedb.ts'
import { QdrantVectorStore } from '../../../src/vectors/qdrant.ts'

it('keeps vectors in the data folder unless a Qdrant server is named', () => {
  const data = { vectorsDir: '/nowhere' }
  expect(vectorStoreOf({ qdrantUrl: undefined, qdrantApiKey: undefined }, data)).toBeInstanceOf(LanceVectorStore)
  const onServer = vectorStoreOf({ qdrantUrl: 'http://127.0.0.1:6333', qdrantApiKey: undefined }, data)
  expect(onServer).toBeInstanceOf(QdrantVectorStore)
})
