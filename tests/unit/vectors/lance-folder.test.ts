/** A process may die between any two steps of one table taking another's place: the next start has one of them, whole. */
import { access, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { LanceFolder } from '../../../src/vectors/lance-folder.ts'

let dir: string
let folder: LanceFolder
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'onepeace-folder-'))
  folder = new LanceFolder(dir)
  await folder.prepare()
})
afterEach(() => rm(dir, { recursive: true, force: true }))

async function table(path: string, content: string): Promise<void> {
  await mkdir(join(path, '_versions'), { recursive: true })
  await writeFile(join(path, '_versions', '1.manifest'), content)
}

const contentOf = (name: string) => readFile(join(folder.path(name), '_versions', '1.manifest'), 'utf8')

const markReady = () => writeFile(join(folder.nextDir, 'c.ready'), '')

it('keeps the old table, and the new one to go on with, while that is not whole', async () => {
  await table(folder.path('c'), 'old')
  await table(folder.nextPath('c'), 'half')
  await new LanceFolder(dir).prepare()
  expect(await contentOf('c')).toBe('old')
  expect(await folder.hasNext('c')).toBe(true)
})

it('puts the new table in place when it is asked to', async () => {
  await table(folder.path('c'), 'old')
  await table(folder.nextPath('c'), 'new')
  await folder.replace('c')
  expect(await contentOf('c')).toBe('new')
  expect(await folder.hasNext('c')).toBe(false)
  expect(await folder.names()).toEqual(['c'])
})

it('finishes the change after a death before, between and after its renames', async () => {
  const deaths = [
    async () => undefined,
    async () => rename(folder.path('c'), join(dir, '.trash', 'x')),
    async () => {
      await rename(folder.path('c'), join(dir, '.trash', 'y'))
      await rename(folder.nextPath('c'), folder.path('c'))
    },
  ]
  for (const die of deaths) {
    await rm(folder.path('c'), { recursive: true, force: true })
    await table(folder.path('c'), 'old')
    await table(folder.nextPath('c'), 'new')
    await markReady()
    await die()
    for (let start = 0; start < 2; start++) await new LanceFolder(dir).prepare()
    expect(await contentOf('c')).toBe('new')
    await expect(access(join(folder.nextDir, 'c.ready'))).rejects.toThrow('ENOENT')
  }
})

it('forgets a table that was being written anew with the collection that is deleted', async () => {
  await table(folder.path('c'), 'old')
  await table(folder.nextPath('c'), 'half')
  await folder.delete('c')
  expect(await folder.names()).toEqual([])
  expect(await folder.hasNext('c')).toBe(false)
})
