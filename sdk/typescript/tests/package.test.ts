/** The package as a user gets it: packed, installed in an empty folder, its examples compiled by tsc and run. */
import { execFile } from 'node:child_process'
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type LiveServer, startServer } from '../../../tests/live-server.ts'
import { writeSampleMedia } from '../../../tests/sample-media.ts'

const exec = promisify(execFile)
const PACKAGE = fileURLToPath(new URL('..', import.meta.url))
const TSC = createRequire(import.meta.url).resolve('typescript/bin/tsc')
const TYPES = fileURLToPath(new URL('../../../node_modules/@types', import.meta.url))

let dir: string
let server: LiveServer
let packed: { filename: string; files: { path: string }[] }

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'onepeace-package-'))
  const { stdout } = await exec('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', dir], {
    cwd: PACKAGE,
  })
  packed = JSON.parse(stdout)[0]
  await writeFile(join(dir, 'package.json'), JSON.stringify({ type: 'module', private: true }))
  await exec('npm', ['install', '--prefer-offline', '--no-audit', `./${packed.filename}`], { cwd: dir })
  await cp(join(PACKAGE, 'examples'), dir, { recursive: true })
  await writeSampleMedia(join(dir, 'media'))
  await writeFile(join(dir, 'media', 'letter.txt'), 'neither a picture nor a sound')
  server = await startServer()
})
afterAll(async () => {
  await server?.stop()
  await rm(dir, { recursive: true, force: true })
})

const example = async (name: string, ...args: string[]) => {
  const env = { ...process.env, ONEPEACE_URL: server.url }
  const { stdout, stderr } = await exec(process.execPath, [`${name}.js`, ...args], { cwd: dir, env })
  expect(stderr).toBe('')
  return stdout
}

it('holds code, types, sources, README and licence, and nothing else', () => {
  const paths = packed.files.map(({ path }) => path)
  expect(paths).toEqual(
    expect.arrayContaining(['README.md', 'LICENSE', 'package.json', 'dist/index.js', 'dist/node.d.ts']),
  )
  expect(paths.filter((path) => !/^(dist|src)\/|^(README\.md|LICENSE|package\.json)$/.test(path))).toEqual([])
})

it('needs nothing of Node but in its `/node` entry', async () => {
  const dist = join(dir, 'node_modules/onepeace-client/dist')
  const files = (await readdir(dist)).filter((name) => name.endsWith('.js') && name !== 'node.js')
  expect(files).toContain('index.js')
  for (const name of files) {
    expect(await readFile(join(dist, name), 'utf8')).not.toMatch(/from 'node:|require\(|\bBuffer\b|\bprocess\./)
  }
})

it('compiles strictly against its types, and its examples run', { timeout: 180_000 }, async () => {
  const strict = ['--strict', '--exactOptionalPropertyTypes', '--noUncheckedIndexedAccess', '--module', 'nodenext']
  const files = (await readdir(dir)).filter((name) => name.endsWith('.ts'))
  await exec(
    process.execPath,
    [TSC, ...strict, '--target', 'es2022', '--types', 'node', '--typeRoots', TYPES, ...files],
    {
      cwd: dir,
    },
  ).catch(({ stdout }) => expect.fail(stdout))
  const media = ['pizza.png', 'dog.png', 'helicopter.wav'].map((name) => `media/${name}`)
  expect(await example('first-search', ...media)).toMatch(
    /^pizza: media\/pizza\.png\nsounds like it: audio, \w+\nmixture: 0\.\d\d\n$/,
  )
  expect(await example('import-folder', 'media')).toBe(
    'letter.txt: 415 unsupported-media-type\n' +
      'dog.png: image\nguitar.png: image\nhelicopter.wav: audio\npizza.png: image\nrain.wav: audio\n',
  )
  expect(await example('understand', 'media/rain.wav', 'media/pizza.png')).toBe(
    'heard: rain\npizza more than rain: true\nno boxes: unsupported-by-model\n',
  )
})
