import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { openDataDir } from '../../../src/commands/data-dir.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'onepeace-data-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

it('lets one in at a time', async () => {
  const first = await openDataDir(dir)
  await expect(openDataDir(dir)).rejects.toThrow(/in use by process/)
  await first.release()
  await (await openDataDir(dir)).release()
})

it('takes over from a process that was killed', async () => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'])
  await once(child, 'spawn')
  const lock = JSON.stringify({ host: hostname(), pid: child.pid, began: '' })
  await (await openDataDir(dir)).release()
  await writeFile(join(dir, 'lock'), lock)
  await expect(openDataDir(dir)).rejects.toThrow(`process ${child.pid}`)
  child.kill('SIGKILL')
  await once(child, 'exit')
  const mine = await openDataDir(dir)
  expect(JSON.parse(await readFile(join(dir, 'lock'), 'utf8')).pid).toBe(process.pid)
  await mine.release()
})

it('is not deceived by a process number used again', async () => {
  await (await openDataDir(dir)).release()
  const { pid } = process
  await writeFile(join(dir, 'lock'), JSON.stringify({ host: hostname(), pid, began: 'another-boot/1' }))
  await (await openDataDir(dir)).release()
})

it('waits for a sign of life from another host', async () => {
  await (await openDataDir(dir)).release()
  const lock = join(dir, 'lock')
  await writeFile(lock, JSON.stringify({ host: 'another-host', pid: 1, began: '' }))
  await expect(openDataDir(dir)).rejects.toThrow('another-host')
  const before = new Date(Date.now() - 60_000)
  await utimes(lock, before, before)
  await (await openDataDir(dir)).release()
})

it('gives a lock it cannot read the time of another host', async () => {
  await (await openDataDir(dir)).release()
  await writeFile(join(dir, 'lock'), '{"ho')
  await expect(openDataDir(dir)).rejects.toThrow(/in use/)
})

it('leaves a folder of other things alone', async () => {
  await writeFile(join(dir, 'holiday.jpg'), '')
  await expect(openDataDir(dir)).rejects.toThrow(/holds other files/)
  await writeFile(join(dir, 'onepeace-data.json'), '{"format":"onepeace-data","version":99}')
  await expect(openDataDir(dir)).rejects.toThrow(/version 99/)
  await expect(openDataDir(join(dir, 'holiday.jpg'))).rejects.toThrow(/cannot be used/)
})
