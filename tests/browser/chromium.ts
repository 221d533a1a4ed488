/**
 * The system's Chromium, driven through playwright-core, against the app over a fake encoder. Every page is watched: what it
 * logs as an error and every address it asks for. Without a browser the tests say so and skip.
 */
import { existsSync } from 'node:fs'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect } from 'vitest'
import { type Harness, type HarnessOptions, startHarness } from '../api/harness.ts'

const PLACES = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/usr/bin/google-chrome-stable',
]
export const browserPath = [process.env.CHROMIUM_PATH ?? '', ...PLACES].find((path) => path !== '' && existsSync(path))

const ARGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // A microphone that beeps and a camera that shows a test picture, given to whoever asks.
  '--use-fake-device-for-media-stream',
  '--use-fake-ui-for-media-stream',
]

if (!browserPath) {
  console.warn('SKIPPED: no Chromium found; `apt-get install chromium`, or name one with CHROMIUM_PATH.')
}
if (!existsSync('dist/playground/index.html')) throw new Error('The pages are not built: `npm run build` first.')

export interface WatchedPage extends Page {
  /** What the console called an error, and what was thrown. */
  complaints: string[]
  /** Every address asked for. */
  asked: string[]
}

export interface Bench {
  h: Harness
  url: string
  /** A page of its own, closed after the test. */
  open(path?: string, options?: BrowserContextOptions): Promise<WatchedPage>
}

/** A browser, and a service of its own for each file of tests; checks after each test that no page complained or strayed. */
export function inChromium(name: string, tests: (bench: Bench) => void, options: HarnessOptions = {}): void {
  describe.skipIf(!browserPath)(name, () => {
    const bench = {} as Bench
    let browser: Browser
    let opened: WatchedPage[] = []
    beforeAll(async () => {
      browser = await launch()
      bench.h = await startHarness(options)
      bench.url = await bench.h.app.listen({ host: '127.0.0.1', port: 0 })
      bench.open = async (path = '/', contextOptions = {}) => {
        const page = await watched(browser, contextOptions)
        opened.push(page)
        await page.goto(bench.url + path)
        return page
      }
    })
    afterEach(async () => {
      const pages = opened
      opened = []
      for (const page of pages) await page.context().close()
      expect(pages.flatMap(({ complaints }) => complaints)).toEqual([])
      expect(pages.flatMap(({ asked }) => asked).filter((address) => !isOwn(address, bench.url))).toEqual([])
    })
    afterAll(async () => {
      await browser?.close()
      await bench.h?.close()
    })
    tests(bench)
  })
}

export function launch(): Promise<Browser> {
  return chromium.launch({ executablePath: browserPath!, args: ARGS })
}

export async function watched(browser: Browser, options: BrowserContextOptions = {}): Promise<WatchedPage> {
  const context = await browser.newContext({ viewport: { width: 1200, height: 900 }, ...options })
  const page = Object.assign(await context.newPage(), { complaints: [], asked: [] }) as unknown as WatchedPage
  page.on('console', (message) => message.type() === 'error' && page.complaints.push(message.text()))
  page.on('pageerror', (error) => page.complaints.push(String(error)))
  page.on('request', (request) => page.asked.push(request.url()))
  return page
}

function isOwn(address: string, url: string): boolean {
  return address.startsWith(`${url}/`) || /^(blob:http:\/\/127\.0\.0\.1|data:)/.test(address)
}

/** An answer of 4xx is logged by the browser as an error; a test that asks for one says so. */
export function expectRefusals(page: WatchedPage, count: number): void {
  const refusals = page.complaints.filter((text) => /Failed to load resource.* status of 4\d\d/.test(text))
  expect(refusals).toHaveLength(count)
  page.complaints = page.complaints.filter((text) => !refusals.includes(text))
}

export interface TestFile {
  name: string
  mimeType: string
  buffer: Buffer
}

/** Through the file chooser that the button opens. */
export async function choose(page: Page, button: string, ...files: TestFile[]): Promise<void> {
  const [chooser] = await Promise.all([
    page.waitForEvent('filechooser'),
    page.getByRole('button', { name: button }).first().click(),
  ])
  await chooser.setFiles(files)
}

/** As if let go over the page. */
export async function drop(page: Page, ...files: TestFile[]): Promise<void> {
  const given = files.map(({ name, mimeType, buffer }) => ({ name, mimeType, data: buffer.toString('base64') }))
  await page.evaluate(`(() => {
    const transfer = new DataTransfer()
    for (const { name, mimeType, data } of ${JSON.stringify(given)}) {
      const bytes = Uint8Array.from(atob(data), (char) => char.charCodeAt(0))
      transfer.items.add(new File([bytes], name, { type: mimeType }))
    }
    for (const type of ['dragover', 'drop']) {
      document.body.dispatchEvent(new DragEvent(type, { dataTransfer: transfer, bubbles: true, cancelable: true }))
    }
  })()`)
}

/** A collection with these items in it, their ids being their names. */
export async function filled(h: Harness, collection: string, files: Record<string, Buffer | string>): Promise<void> {
  await h.app.inject({ method: 'POST', url: '/v1/collections', payload: { name: collection } })
  for (const [id, content] of Object.entries(files)) {
    const input =
      typeof content === 'string'
        ? content
        : content.subarray(0, 4).toString('latin1') === 'RIFF'
          ? { type: 'input_audio', input_audio: { data: content.toString('base64') } }
          : { type: 'image_url', image_url: { url: `data:;base64,${content.toString('base64')}` } }
    const made = await h.app.inject({
      method: 'POST',
      url: `/v1/collections/${collection}/items`,
      payload: { id, input, metadata: { name: id } },
    })
    expect(made.statusCode).toBe(201)
  }
}
