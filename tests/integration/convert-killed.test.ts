import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openBundle, verifyHashes } from '../../src/bundle/open.ts'
import { PROGRAM } from '../command-line.ts'
import { TINY, tinyTensors, writeSafetensors, writeTinyBpe } from '../tiny-checkpoint.ts'

/** Large enough to be at work for a while. */
const CONFIG = { ...TINY, layers: 40, embedDim: 128, ffnEmbedDim: 512, image: { ...TINY.image!, stemChannels: 32 } }

let dir: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'onepeace-killed-'))
  await writeSafetensors(join(dir, 'checkpoint.safetensors'), tinyTensors(CONFIG))
  await writeTinyBpe(join(dir, 'bpe'))
})
afterAll(() => rm(dir, { recursive: true, force: true }))

const bundles = async () => (await readdir(dir)).filter((name) => name.startsWith('bundle'))

function convert() {
  const args = ['convert', join(dir, 'checkpoint.safetensors'), '--bpe', join(dir, 'bpe'), '--out', join(dir, 'bundle')]
  return spawn(process.execPath, [PROGRAM, ...args, '--precision', 'int8'], { stdio: 'ignore' })
}

it('a conversion that is killed leaves no bundle under its name, and the next one makes it whole and tidies up', async () => {
  const killed = convert()
  const exited = once(killed, 'exit')
  while ((await bundles()).length === 0 && killed.exitCode === null) await sleep(2)
  killed.kill('SIGKILL')
  await exited
  const left = await bundles()
  expect(left).toHaveLength(1)
  expect(left[0]).toMatch(/^bundle\.partial-/)

  const [code] = await once(convert(), 'exit')
  expect(code).toBe(0)
  expect(await bundles()).toEqual(['bundle'])
  await verifyHashes(await openBundle(join(dir, 'bundle')))
})
