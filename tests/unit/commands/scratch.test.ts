import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { openScratch, sweepScratch } from '../../../src/commands/scratch.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'onepeace-scratch-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

it('empties what a killed process left, and tells libraries where it is until it is closed', async () => {
  await mkdir(join(dir, '.tmpAbCdEf'))
  await writeFile(join(dir, '.tmpAbCdEf', 'rows'), 'half of an index')
  for (const environment of [{}, { TMPDIR: '/elsewhere' }] as NodeJS.ProcessEnv[]) {
    const before = { ...environment }
    const scratch = await openScratch(dir, environment)
    expect(await readdir(dir)).toEqual([])
    expect(environment.TMPDIR).toBe(dir)
    await scratch.close()
    expect(environment).toEqual(before)
  }
})

it('deletes what has long been empty, and nothing else', async () => {
  for (const name of ['old', 'old-but-full', 'new']) await mkdir(join(dir, name))
  await writeFile(join(dir, 'old-but-full', 'rows'), '')
  for (const name of ['old', 'old-but-full']) await utimes(join(dir, name), 0, 0)
  await sweepScratch(dir)
  expect((await readdir(dir)).sort()).toEqual(['new', 'old-but-full'])
})
