/** The client in a real browser: bundled as an application would, on a page of the service's own origin, against a live service. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Browser } from 'playwright-core'
import { build } from 'vite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { browserPath, launch, watched } from '../../../tests/browser/chromium.ts'
import { type LiveServer, startServer } from '../../../tests/live-server.ts'
import { writeSampleMedia } from '../../../tests/sample-media.ts'

const ENTRY = fileURLToPath(new URL('in-a-page.ts', import.meta.url))
/** What the client may weigh in a page, minified; openapi-fetch is most of it. */
const MAX_BYTES = 30_000

async function bundled(): Promise<string> {
  const built = await build({
    configFile: false,
    logLevel: 'silent',
    build: { write: false, minify: true, target: 'es2022', lib: { entry: ENTRY, formats: ['es'] } },
  })
  const [{ output }] = built as unknown as { output: { code: string }[] }[] as [{ output: { code: string }[] }]
  expect(output).toHaveLength(1)
  return output[0]!.code
}

describe.skipIf(!browserPath)('in Chromium', () => {
  let dir: string
  let server: LiveServer
  let browser: Browser

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'onepeace-sdk-page-'))
    await writeSampleMedia(dir)
    server = await startServer()
    browser = await launch()
  })
  afterAll(async () => {
    await browser?.close()
    await server?.stop()
    await rm(dir, { recursive: true, force: true })
  })

  it('embeds, adds, streams a batch, searches, lists, fails with problems and is aborted as in Node', async () => {
    const code = await bundled()
    expect(code).not.toMatch(/["']node:/)
    expect(Buffer.byteLength(code)).toBeLessThan(MAX_BYTES)
    const page = await watched(browser)
    const files: Record<string, { body: string | Buffer; contentType: string }> = {
      '/page/': { body: '<!doctype html><script type="module" src="page.js"></script>', contentType: 'text/html' },
      '/page/page.js': { body: code, contentType: 'text/javascript' },
      '/page/pizza.png': { body: await readFile(join(dir, 'pizza.png')), contentType: 'image/png' },
      '/page/rain.wav': { body: await readFile(join(dir, 'rain.wav')), contentType: 'audio/wav' },
    }
    await page.route(`${server.url}/page/**`, (route) => route.fulfill(files[new URL(route.request().url()).pathname]!))
    await page.goto(`${server.url}/page/`)
    await page.waitForFunction('globalThis.used')
    expect(await page.evaluate('globalThis.used')).toEqual({
      dims: [192, 192],
      nearer: true,
      added: ['pizza', 'image', true],
      results: [
        { id: 'rain', status: 201 },
        { id: undefined, status: 422 },
      ],
      hit: 'pizza',
      listed: ['pizza', 'rain'],
      original: true,
      problem: [404, 'not-found'],
      aborted: 'the reader has gone',
      type: 'RIFF',
    })
    // The 404 is what the test asked for; a browser logs it.
    expect(page.complaints.filter((text) => !text.includes('status of 404'))).toEqual([])
    expect(page.asked.filter((address) => !address.startsWith(`${server.url}/`))).toEqual([])
    await page.context().close()
  })
})
