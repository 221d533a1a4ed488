import { mkdir, mkdtemp, readdir, rename, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FolderObjects } from '../../src/objects/folder-objects.ts'
import { ObjectStoreError } from '../../src/objects/object-store.ts'
import { objectStoreContract } from './object-store.ts'

objectStoreContract(async () => {
  const dir = await mkdtemp(join(tmpdir(), 'onepeace-objects-'))
  const close = () => rm(dir, { recursive: true, force: true })
  return { store: new FolderObjects(dir), second: new FolderObjects(dir, { isShared: true }), close }
})

describe('in a folder', () => {
  let dir: string
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'onepeace-objects-'))
  })
  afterEach(() => rm(dir, { recursive: true, force: true }))

  it('what a killed process was writing goes with the next start', async () => {
    await mkdir(join(dir, '.incoming'))
    await writeFile(join(dir, '.incoming', 'half'), 'ha')
    await new FolderObjects(dir).put('a', 'whole')
    expect(await readdir(join(dir, '.incoming'))).toEqual([])
  })

  it('what others may be writing stays for an hour where the folder is shared', async () => {
    await mkdir(join(dir, '.incoming'))
    for (const name of ['now', 'old']) await writeFile(join(dir, '.incoming', name), 'ha')
    await utimes(join(dir, '.incoming', 'old'), new Date(), new Date(Date.now() - 2 * 60 * 60 * 1000))
    await new FolderObjects(dir, { isShared: true }).put('a', 'whole')
    expect(await readdir(join(dir, '.incoming'))).toEqual(['now'])
  })

  it('a share that is gone is no empty one: nothing is read from it or written beside it', async () => {
    const share = join(dir, 'share')
    await mkdir(share)
    await writeFile(join(share, 'marker'), '')
    const store = new FolderObjects(join(share, 'files'), { isShared: true, marker: join(share, 'marker') })
    await store.put('a', 'kept')
    await rename(share, join(dir, 'elsewhere'))
    const calls = [() => store.get('a'), () => store.stat('a'), () => store.open('a'), () => store.put('b', 'lost')]
    for (const call of [...calls, () => store.ready()]) await expect(call()).rejects.toThrow(ObjectStoreError)
    expect(await readdir(dir)).toEqual(['elsewhere'])
    await rename(join(dir, 'elsewhere'), share)
    expect((await store.get('a'))?.toString()).toBe('kept')
  })
})
