import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { BlobStore, sha256Of } from '../../../src/blobs/blob-store.ts'
import { FolderObjects } from '../../../src/objects/folder-objects.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'onepeace-blobs-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

const bytes = new TextEncoder().encode('hello blob')

it('names content by its SHA-256 and gives it back, whole and in part', async () => {
  const blobs = new BlobStore(new FolderObjects(dir))
  const sha256 = await sha256Of(bytes)
  expect(sha256).toBe('e997afd18e5f6be004fc193aed2c90291e68ab2c7599a62538c935b7fca6ab0f')
  await blobs.put(sha256, bytes)
  await blobs.put(sha256, bytes)
  expect(await blobs.size(sha256)).toBe(bytes.length)
  expect((await blobs.bytes(sha256))!.toString()).toBe('hello blob')
  expect((await buffer((await blobs.read(sha256, { start: 6, end: 9 }))!)).toString()).toBe('blob')
  await blobs.delete(sha256)
  expect(await blobs.size(sha256)).toBeUndefined()
})

it('sweeps what nothing refers to, and what was half written', async () => {
  const first = new BlobStore(new FolderObjects(dir))
  const kept = await sha256Of(bytes)
  const orphan = await sha256Of(new Uint8Array(3))
  await first.put(kept, bytes)
  await first.put(orphan, new Uint8Array(3))
  await writeFile(join(dir, '.incoming', 'half'), 'hal')
  const second = new BlobStore(new FolderObjects(dir))
  expect(await second.sweep(new Set([kept]))).toBe(1)
  expect(await second.size(kept)).toBe(bytes.length)
  expect(await second.size(orphan)).toBeUndefined()
  expect(await readdir(join(dir, '.incoming'))).toEqual([])
})

it('lets one task a hash run at a time, failed ones included', async () => {
  const blobs = new BlobStore(new FolderObjects(dir))
  const hash = 'c'.repeat(64)
  const log: string[] = []
  const task = (name: string, fails = false) =>
    blobs.exclusively(hash, async () => {
      log.push(`${name} begins`)
      await new Promise((resolve) => setTimeout(resolve, 5))
      log.push(`${name} ends`)
      if (fails) throw new Error(name)
    })
  await Promise.allSettled([task('a', true), task('b'), task('c')])
  expect(log).toEqual(['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends'])
})

it('takes nothing for a hash that is not one', async () => {
  const blobs = new BlobStore(new FolderObjects(dir))
  expect(() => blobs.read('../../etc/passwd')).toThrow(RangeError)
})
