import { expect, it } from 'vitest'
import { vectorStoreOf } from '../../../src/commands/compose.ts'
import { loadConfig } from '../../../src/config.ts'
import { LanceVectorStore } from '../../../src/vectors/lancedb.ts'
import { QdrantVectorStore } from '../../../src/vectors/qdrant.ts'

it('keeps vectors in the data folder unless a Qdrant server is named', () => {
  const data = { vectorsDir: '/nowhere' }
  expect(vectorStoreOf(loadConfig({}, {}), data, 'm')).toBeInstanceOf(LanceVectorStore)
  const onServer = vectorStoreOf(loadConfig({}, { QDRANT_URL: 'http://127.0.0.1:6333' }), data, 'm')
  expect(onServer).toBeInstanceOf(QdrantVectorStore)
})
