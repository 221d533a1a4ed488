/** The pictures of the documentation are what a command makes of the running product, and the command works. */
import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import sharp from 'sharp'
import { expect, it } from 'vitest'
import { browserPath } from './chromium.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const MAX_BYTES = 300_000
/** A service with its samples, and a browser, on a machine that may be busy. */
const SLOW = 400_000

it.skipIf(!browserPath)(
  'draws every picture of docs/playground, none of them large or empty',
  { timeout: SLOW },
  async () => {
    const dir = await mkdtemp(join(tmpdir(), 'onepeace-screenshots-test-'))
    const env = { ...process.env, CHROMIUM_PATH: browserPath }
    await promisify(execFile)(process.execPath, ['playground/screenshots.mjs', dir], { cwd: ROOT, env })
    const drawn = (await readdir(dir)).sort()
    expect(drawn).toEqual((await readdir(join(ROOT, 'docs/playground'))).sort())
    for (const name of drawn) {
      expect((await stat(join(dir, name))).size, name).toBeLessThan(MAX_BYTES)
      const { channels } = await sharp(join(dir, name)).stats()
      expect(Math.max(...channels.map(({ stdev }) => stdev)), name).toBeGreaterThan(5)
    }
    const pages = await Promise.all(
      ['README.md', 'docs/playground.md', 'docs/grounding.md'].map((page) => readFile(join(ROOT, page), 'utf8')),
    )
    expect(pages.join()).toContain('playground/grounding-light.png')
    await rm(dir, { recursive: true, force: true })
  },
)
