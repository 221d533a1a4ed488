/** The path of a new user, as processes: a folder imported and searched without a service; the same with one; a kill half way. */
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { OnepeaceClient } from 'onepeace-client'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { onepeace, startOnepeace } from '../command-line.ts'
import { type LiveServer, startServer } from '../live-server.ts'
import { writeSampleMedia } from '../sample-media.ts'

/** No service listens there, whatever runs on the machine of the tests. */
const NOWHERE = { ONEPEACE_PORT: '10' }
const TEXTS = 150
/** Several processes that load the model, on a machine that may be busy. */
const SLOW = 240_000
let dir: string
let server: LiveServer

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'onepeace-first-'))
  await writeSampleMedia(join(dir, 'pictures'))
  await writeFile(join(dir, 'pictures', 'broken.jpg'), 'no picture')
  server = await startServer()
})
afterAll(async () => {
  await server?.stop()
  await rm(dir, { recursive: true, force: true })
})

it(
  'imports a folder and searches it by words, by a sound and by both, without a service and without settings',
  async () => {
    const here = { cwd: dir, env: NOWHERE }
    const imported = await onepeace(['import', 'pictures'], here)
    expect(imported).toMatchObject({ code: 1, stdout: expect.stringMatching(/^files: 5 added, 1 failed/) })
    expect(imported.stderr).toMatch(/using .\/data in this process/)
    expect(imported.stderr).toMatch(/broken\.jpg: The file is of no kind/)

    const found = await onepeace(['search', 'a', 'dog', '--json', '--modality', 'image'], here)
    expect(JSON.parse(found.stdout).hits[0]).toMatchObject({ id: 'dog.png', modality: 'image' })
    const sound = join(dir, 'pictures', 'helicopter.wav')
    const table = await onepeace(['search', '--audio', sound, '--limit', '1'], here)
    expect(table.stdout).toMatch(/^score +kind +id.*\n1\.000 +audio +helicopter\.wav\n$/)

    const typo = await onepeace(['search', 'x', '--collection', 'flies'], here)
    expect(typo).toMatchObject({ code: 1, stdout: '' })
    expect(typo.stderr).toMatch(/no collection 'flies'\. There are: files\. Did you mean 'files'\?\n$/)
  },
  SLOW,
)

it(
  'asks the service whose address is given, and goes on where a killed import was',
  async () => {
    await mkdir(join(dir, 'texts'))
    for (let i = 0; i < TEXTS; i++) await writeFile(join(dir, 'texts', `${i}.txt`), `text number ${i}`)
    const client = new OnepeaceClient({ url: server.url })
    const args = ['import', join(dir, 'texts'), '--collection', 'texts', '--concurrency', '1', '--json']
    const count = async () => (await client.collections.get('texts').catch(() => undefined))?.items ?? 0

    const first = startOnepeace([...args, '--url', server.url])
    const ended = once(first, 'exit')
    while ((await count()) < 5 && first.exitCode === null) await setTimeout(10)
    first.kill('SIGKILL')
    expect(await ended).toEqual([null, 'SIGKILL'])
    const before = await count()
    expect(before).toBeGreaterThanOrEqual(5)

    const again = await onepeace(args, { env: { ONEPEACE_URL: server.url } })
    expect(again.code).toBe(0)
    const report = JSON.parse(again.stdout)
    expect(report).toMatchObject({ replaced: 0, failed: [] })
    expect(report.skipped).toBeGreaterThanOrEqual(5)
    expect(report.added + report.skipped).toBe(TEXTS)
    expect(await count()).toBe(TEXTS)
  },
  SLOW,
)

it('classifies a picture, and says plainly where the model cannot ground', async () => {
  const picture = join(dir, 'pictures', 'pizza.png')
  const named = await onepeace(['classify', picture, '--labels', 'dog,pizza,guitar', '--url', server.url])
  expect(named.stdout).toMatch(/^label .*probability +score\npizza /)
  const grounded = await onepeace(['ground', picture, 'a slice', '--url', server.url])
  expect(grounded).toMatchObject({ code: 1, stdout: '' })
  expect(grounded.stderr).toMatch(/^onepeace: The model has no head for grounding; .*\n$/)
})

it('says what to do where there is no service, no file, or no such option', async () => {
  const gone = await onepeace(['search', 'x', '--url', 'http://127.0.0.1:10'])
  expect(gone).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/cannot be reached \(ECONNREFUSED\).*onepeace serve/),
  })
  const missing = await onepeace(['search', '--image', 'nothing.png', '--url', server.url])
  expect(missing.stderr).toBe('onepeace: There is no file nothing.png.\n')
  const typo = await onepeace(['serach', 'x'])
  expect(typo).toMatchObject({ code: 1, stderr: expect.stringContaining('Did you mean search?') })
})
