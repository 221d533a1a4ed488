import { mkdir, mkdtemp, open, rm, writeFile } from 'node:fs/promises'
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

it('syncs what is new of an index where a sync before failed, and lists a part that is synced no more', async () => {
  const root = join(dir, 'tree')
  const add = async (...path: string[]) => {
    await mkdir(join(root, ...path.slice(0, -1)), { recursive: true })
    await writeFile(join(root, ...path), '')
  }
  await add('_indices', 'a', 'rows')
  const handle = await open(root)
  const synced = vi.spyOn(Object.getPrototypeOf(handle) as typeof handle, 'sync')
  await handle.close()
  const tree = new DurableTree(root, '_indices')
  synced.mockRejectedValueOnce(new Error('no room'))
  await expect(tree.sync()).rejects.toThrow('no room')
  const count = async () => {
    const before = synced.mock.calls.length
    await tree.sync()
    return synced.mock.calls.length - before
  }
  expect(await count()).toBe(4) // the file, its folder, `_indices`, the root
  expect(await count()).toBe(0)
  await add('_indices', 'b', 'rows')
  await add('_indices', 'a', 'never')
  expect(await count()).toBe(3) // the file, its folder, `_indices`
})
