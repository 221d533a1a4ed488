/** Originals that several processes keep together: none is deleted that an item refers to, or is about to. */
import { mkdtemp, readdir, rm, utimes } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { BlobStore, sha256Of } from '../../../src/blobs/blob-store.ts'
import { FolderObjects } from '../../../src/objects/folder-objects.ts'
import { SharedMedia } from '../../../src/services/shared-media.ts'

const HOUR = 60 * 60 * 1000
const bytes = new TextEncoder().encode('an original')
let dir: string
let sha256: string
let referenced: Set<string>
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'onepeace-shared-'))
  sha256 = await sha256Of(bytes)
  referenced = new Set()
})
afterEach(() => rm(dir, { recursive: true, force: true }))

/** As one process sees it. */
function open() {
  const blobs = new BlobStore(new FolderObjects(join(dir, 'originals'), { isShared: true }))
  const doomed = new FolderObjects(join(dir, 'doomed'), { isShared: true })
  const store = {
    referencedHashes: vi.fn(async (hashes: readonly string[] = []) => new Set(hashes.filter((h) => referenced.has(h)))),
  }
  return { blobs, store, media: new SharedMedia(blobs, store, doomed) }
}

/** Makes everything that lies there some hours older. */
async function age(room: 'originals' | 'doomed', hours: number): Promise<void> {
  const then = new Date(Date.now() - hours * HOUR)
  for (const name of await readdir(join(dir, room), { recursive: true }))
    await utimes(join(dir, room, name), then, then)
}

const item = async () => void referenced.add(sha256)
const kept = async () => (await open().blobs.size(sha256)) !== undefined

it('deletes an original an hour after its last item, by whatever process', async () => {
  await open().media.keep(bytes, item)
  referenced.clear()
  await open().media.release(sha256)
  expect(await open().media.sweep()).toBe(0)
  await age('originals', 2)
  expect(await open().media.sweep()).toBe(0)
  await age('doomed', 2)
  expect(await open().media.sweep()).toBe(1)
  expect(await kept()).toBe(false)
  expect(await open().media.sweep()).toBe(0)
})

it('keeps what an item refers to, and what was written again since', async () => {
  await open().media.keep(bytes, item)
  await open().media.release(sha256)
  await age('doomed', 2)
  await age('originals', 2)
  expect(await open().media.sweep()).toBe(0)
  expect(await kept()).toBe(true)

  referenced.clear()
  await open().media.release(sha256)
  await age('doomed', 2)
  const writing = open().media.keep(bytes, async () => {
    // Between its bytes and its item: another process looks for what is due.
    expect(await open().media.sweep()).toBe(0)
    await item()
  })
  await writing
  expect(await kept()).toBe(true)
})

it('is not forgotten while it is young: it goes once it is old', async () => {
  await open().media.keep(bytes, async () => undefined)
  await open().media.release(sha256)
  await age('doomed', 2)
  expect(await open().media.sweep()).toBe(0)
  await age('doomed', 2)
  await age('originals', 2)
  expect(await open().media.sweep()).toBe(1)
})

it('brings an original back that another process deleted while its item was written', async () => {
  await open().media.keep(bytes, async () => {
    await open().blobs.delete(sha256)
    await item()
  })
  expect(await kept()).toBe(true)
})

it('releases what a write kept that failed', async () => {
  const failing = open().media.keep(bytes, async () => {
    throw new Error('the store is away')
  })
  await expect(failing).rejects.toThrow('the store is away')
  await age('doomed', 2)
  await age('originals', 2)
  expect(await open().media.sweep()).toBe(1)
})

it('leaves all for the next time when the vector store does not answer', async () => {
  await open().media.keep(bytes, async () => undefined)
  await open().media.release(sha256)
  await age('doomed', 2)
  await age('originals', 2)
  const { media, store } = open()
  store.referencedHashes.mockRejectedValue(new Error('away'))
  await expect(media.sweep()).rejects.toThrow('away')
  expect(await open().media.sweep()).toBe(1)
})
