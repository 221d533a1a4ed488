import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { DurableTree } from '../../src/vectors/fsync-tree.ts'
import { LanceVectorStore } from '../../src/vectors/lancedb.ts'
import type { NewItem } from '../../src/vectors/store.ts'

let dir: string
let store: LanceVectorStore
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'onepeace-sync-'))
  store = new LanceVectorStore(dir)
  await store.createCollection({ name: 'c', embedDim: 2, model: 'm', metadata: {}, createdAt: '' })
})
afterEach(async () => {
  vi.restoreAllMocks()
  await store.close()
  await rm(dir, { recursive: true, force: true })
})

const item = (id: string): NewItem => ({
  id,
  modality: 'text',
  sha256: '0'.repeat(64),
  payload: { metadata: {} },
  points: [{ vector: Float32Array.of(1, 0) }],
})

it('tells every item of a group that it is not on disk, and none that its id is taken, where a sync fails', async () => {
  vi.spyOn(DurableTree.prototype, 'sync').mockRejectedValueOnce(new Error('no room'))
  const outcomes = await Promise.allSettled(['a', 'b', 'c'].map((id) => store.createItem('c', item(id))))
  const codes = outcomes.map((outcome) => outcome.status === 'rejected' && outcome.reason.code)
  expect(codes).toEqual(Array(3).fill('vector-store-unavailable'))
})
