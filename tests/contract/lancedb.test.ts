import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LanceVectorStore } from '../../src/vectors/lancedb.ts'
import { filterContract } from './filters.ts'
import { vectorStoreContract } from './vector-store.ts'

const harness = async () => {
  const dir = await mkdtemp(join(tmpdir(), 'onepeace-lance-'))
  return {
    open: async () => new LanceVectorStore(join(dir, 'vectors')),
    dispose: () => rm(dir, { recursive: true, force: true }),
  }
}

vectorStoreContract('LanceVectorStore', harness)
filterContract('LanceVectorStore', harness)
