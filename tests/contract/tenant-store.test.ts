/** A tenant's view keeps the whole contract of a store. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LanceVectorStore } from '../../src/vectors/lancedb.ts'
import { TenantVectorStore } from '../../src/vectors/tenant-store.ts'
import { vectorStoreContract } from './vector-store.ts'

/** Closes what it opened, as the contract expects of a store. */
class OwnedTenantStore extends TenantVectorStore {
  readonly #owned: LanceVectorStore

  constructor(store: LanceVectorStore, tenant: string) {
    super(store, tenant)
    this.#owned = store
  }

  override close(): Promise<void> {
    return this.#owned.close()
  }
}

vectorStoreContract('TenantVectorStore', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'onepeace-tenant-'))
  return {
    open: async () => new OwnedTenantStore(new LanceVectorStore(join(dir, 'vectors')), 'acme-1'),
    dispose: () => rm(dir, { recursive: true, force: true }),
  }
})
