/** The path of a new user, as processes: a folder imported and searched without a service; the same with one; a kill half way. */
import { execFileSync, type StdioOptions } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { OnepeaceClient } from 'onepeace-client'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { onepeace, PROGRAM, startOnepeace } from '../command-line.ts'
import { blocksOf } from '../docs/blocks.ts'
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
  await writeFile(join(dir, 'pictures', 'dog.png.json'), '{"year": 2024}')
  server = await startServer()
})
afterAll(async () => {
  await server?.stop()
  await rm(dir, { recursive: true, force: true })
})

/** The commands of the page, but for those that are not run: the installation, and what never ends. */
async function commandsOf(page: string): Promise<string[]> {
  const blocks = blocksOf(await readFile(new URL(`../../docs/${page}`, import.meta.url), 'utf8'))
  const run = blocks.filter(({ language, notRun, isHidden }) => language === 'sh' && !notRun && !isHidden)
  return run.flatMap(({ text }) => text.trim().split('\n'))
}

it('does what docs/first-search.md says, in an empty folder and without a service', { timeout: SLOW }, async () => {
  const shell = `npx() { shift; "${process.execPath}" "${PROGRAM}" "$@"; }\n`
  const env = { PATH: process.env.PATH, HOME: dir, ...NOWHERE }
  const cwd = join(dir, 'clone')
  await mkdir(cwd)
  const commands = await commandsOf('first-search.md')
  const stdio: StdioOptions = ['ignore', 'pipe', 'pipe']
  const said = commands.map((line) => execFileSync('bash', ['-c', shell + line], { cwd, env, encoding: 'utf8', stdio }))
  const [imported, byWords, bySound, both, filtered, exported, copied] = said
  expect(imported).toMatch(/^files: 5 added, 0 failed/)
  expect(byWords).toMatch(/^score +kind +id.*\n0\.\d+ +image +dog\.png\n/)
  expect(bySound).toMatch(/^score.*\n1\.000 +audio +rain\.wav\n/)
  expect(both).toMatch(/^score.*\n0\.\d+ +image +dog\.png\n/)
  expect(filtered).toMatch(/^score.*\n0\.\d+ +image +dog\.png\n$/)
  expect(exported).toMatch(/^backup: 5 items of files/)
  expect(copied).toMatch(/^copy: 5 added, 0 failed/)
})

it("takes three commands at most from the README to the first search in one's own folder", {
  timeout: SLOW,
}, async () => {
  const readme = blocksOf(await readFile(new URL('../../README.md', import.meta.url), 'utf8'))
  const commands = readme
    .filter(({ language, isHidden }) => language === 'sh' && !isHidden)
    .flatMap(({ text }) => text.trim().split('\n'))
  const search = commands.findIndex((line) => /^npx onepeace search /.test(line))
  const own = commands.slice(0, search + 1).flatMap((line) => line.split(' && '))
  // `npm start` serves samples; whoever wants the own folder searched does without.
  const needed = own.filter((command) => command !== 'npm start')
  expect(needed).toEqual([
    'npm ci',
    expect.stringMatching(/^npx onepeace import /),
    expect.stringMatching(/^npx onepeace search /),
  ])
  const home = join(dir, 'newcomer')
  await mkdir(join(home, 'clone'), { recursive: true })
  await writeSampleMedia(join(home, 'pictures'))
  const shell = `npx() { shift; "${process.execPath}" "${PROGRAM}" "$@"; }\n`
  const env = { PATH: process.env.PATH, HOME: home, ...NOWHERE }
  const stdio: StdioOptions = ['ignore', 'pipe', 'pipe']
  const said = needed
    .slice(1)
    .map((line) =>
      execFileSync('bash', ['-c', shell + line], { cwd: join(home, 'clone'), env, encoding: 'utf8', stdio }),
    )
  expect(said[0]).toMatch(/^files: 5 added, 0 failed/)
  expect(said[1]).toMatch(/^score +kind +id.*\n0\.\d+ +image +dog\.png\n/)
})

it('asks the service whose address is given, and goes on where a killed import was', { timeout: SLOW }, async () => {
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

  await writeFile(join(dir, 'texts', 'broken.jpg'), 'no picture')
  const third = await onepeace([...args.slice(0, -1), '--url', server.url])
  expect(third).toMatchObject({
    code: 1,
    stdout: expect.stringMatching(/^texts: 0 added, 150 already there, 1 failed/),
  })
  expect(third.stderr).toMatch(/^ {2}broken\.jpg: The file is of no kind/m)
})

it('classifies a picture, points into it, and says which heads there are where one is missing', async () => {
  const picture = join(dir, 'pictures', 'pizza.png')
  const named = await onepeace(['classify', picture, '--labels', 'dog,pizza,guitar', '--url', server.url])
  expect(named.stdout).toMatch(/^label .*probability +score\npizza /)
  const grounded = await onepeace(['ground', picture, 'a pizza', '--url', server.url])
  expect(grounded.stdout).toMatch(/^phrase +x1 +y1 +x2 +y2 +score\na pizza( +[\d.]+){5}\n$/)
  const unknown = await onepeace(['ground', picture, 'a pizza', '--head', 'none', '--url', server.url])
  expect(unknown).toMatchObject({ code: 1, stdout: '' })
  expect(unknown.stderr).toMatch(/^onepeace: The model has no head 'none'; it has .*\n$/)
})

it('says what to do where there is no service, no file, or no such option', async () => {
  const gone = await onepeace(['search', 'x', '--url', 'http://127.0.0.1:10'])
  expect(gone).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/cannot be reached \(ECONNREFUSED\).*onepeace serve/),
  })
  const missing = await onepeace(['search', '--image', 'nothing.png', '--url', server.url])
  expect(missing.stderr).toBe('onepeace: There is no file nothing.png.\n')
  await new OnepeaceClient({ url: server.url }).collections.create('letters')
  const name = await onepeace(['search', 'x', '--collection', 'leters', '--url', server.url])
  expect(name).toMatchObject({ code: 1, stdout: '' })
  expect(name.stderr).toMatch(/no collection 'leters'\. There are: .*letters.*\. Did you mean 'letters'\?\n$/)
  const typo = await onepeace(['serach', 'x'])
  expect(typo).toMatchObject({ code: 1, stderr: expect.stringContaining('Did you mean search?') })
})
