/** Whoever uses it, and on whatever: axe finds no serious fault, nothing scrolls sideways on a phone, keys stay in the tab. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { beforeAll, describe, expect, it } from 'vitest'
import { changeKeys, keyFileOf } from '../../src/auth/key-file.ts'
import { newKey } from '../../src/auth/keys.ts'
import { wav } from '../api/harness.ts'
import { png } from '../api/pictures.ts'
import { drop, expectRefusals, filled, inChromium, type WatchedPage } from './chromium.ts'

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const PHONE = { viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true }
const picture = { name: 'red.png', mimeType: 'image/png', buffer: png(60, 40) }

interface Finding {
  id: string
  impact: string
  nodes: { html: string; failureSummary: string }[]
}

/** Serious and critical findings of axe in a part of the page, in words. */
async function faults(page: WatchedPage, part: string): Promise<string[]> {
  await page.evaluate(AXE)
  const violations = await page.evaluate<Finding[]>(
    `axe.run(${JSON.stringify(part)}).then((result) => result.violations)`,
  )
  return violations
    .filter(({ impact }) => ['serious', 'critical'].includes(impact))
    .flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html}\n${failureSummary}`))
}

interface ViewTest {
  path: string
  /** Puts something into it. */
  fill(page: WatchedPage): Promise<void>
  /** What axe looks at. */
  part?: string
}

const VIEWS: Record<string, ViewTest> = {
  search: {
    path: '/#/search?q=a+dog',
    fill: async (page) => {
      await page.getByText(/^5 hits in/).waitFor()
      await drop(page, picture)
      await page.getByRole('button', { name: 'Less of red.png' }).click()
      await page.getByRole('button', { name: 'Copy as code' }).click()
      await page.getByRole('img', { name: 'red', exact: true }).waitFor()
    },
  },
  look: {
    path: '/#/look',
    fill: async (page) => {
      await page.getByText('Choose, drop or record').waitFor()
      await drop(page, picture)
      await page.getByRole('button', { name: 'Rank them' }).click()
      await page.getByRole('list', { name: 'Labels, best first' }).waitFor()
      await page.getByRole('textbox', { name: 'Phrases, between commas' }).fill('a dog')
      await page.getByRole('button', { name: 'Point at them' }).click()
      await page.getByRole('list', { name: 'Boxes' }).waitFor()
    },
  },
  add: {
    path: '/#/add',
    fill: async (page) => {
      await page.getByText('Drop pictures and sounds here').waitFor()
      await drop(page, { ...picture, buffer: Buffer.from('no picture at all') })
      await page.getByText('0 of 1 thing added, 1 failed.').waitFor()
      expectRefusals(page, 1)
    },
  },
  map: { path: '/#/map', fill: (page) => page.getByText('5 items of 5').waitFor() },
  docs: {
    path: '/docs#searchCollection',
    fill: async (page) => {
      await page.getByRole('heading', { name: 'POST /v1/collections/{collection}/search' }).waitFor()
      await page.locator('#searchCollection summary').first().click()
    },
    // All operations are laid out alike; looking at each would take a minute.
    part: '#searchCollection',
  },
}
const SCREENS = { light: {}, dark: { colorScheme: 'dark' }, phone: PHONE } as const

inChromium('access', (bench) => {
  beforeAll(async () => {
    bench.h.encoder.heads = [{ name: 'boxes', task: 'grounding', inputs: ['text', 'image'], classes: 4 }]
    bench.h.encoder.answer = () => ({
      logits: Float32Array.of(0),
      dims: [1],
      boxes: Float32Array.of(0.1, 0.1, 0.5, 0.5),
    })
    await filled(bench.h, 'things', { red: png(60, 40), bell: wav(1), hum: wav(2, 110), note: 'a dog', list: 'bread' })
  })

  const cases = Object.keys(VIEWS).flatMap((view) =>
    (['light', 'dark', 'phone'] as const).map((screen) => ({ view, screen })),
  )
  it.each(cases)('has no serious fault and nothing out of sight sideways: $view, $screen', async ({ view, screen }) => {
    const { path, fill, part = 'html' } = VIEWS[view]!
    const page = await bench.open(path, SCREENS[screen])
    await fill(page)
    expect(await faults(page, part)).toEqual([])
    const [wide, room] = await page.evaluate<[number, number]>('[document.documentElement.scrollWidth, innerWidth]')
    expect(wide).toBeLessThanOrEqual(room)
  })

  it('lays the reference of every operation out', async () => {
    const page = await bench.open('/docs')
    const contract = (await bench.h.app.inject({ method: 'GET', url: '/openapi.json' })).json()
    await page.locator('article').first().waitFor()
    const ids = await page.locator('article').evaluateAll((all) => all.map((one) => one.id))
    const operations = Object.values(contract.paths as Record<string, Record<string, { operationId: string }>>)
    expect(ids.sort()).toEqual(
      operations.flatMap((methods) => Object.values(methods).map((each) => each.operationId)).sort(),
    )
  })
})

inChromium('a service with keys', (bench) => {
  describe('the page', () => {
    it('is open, asks for a key, and keeps it in the tab alone', async () => {
      await filled(bench.h, 'things', { note: 'a dog' })
      const { key, record } = newKey({ tenant: 'default', scopes: ['read'] })
      await changeKeys(keyFileOf(bench.h.dir), (keys) => [...keys, record])
      const page = await bench.open()
      await page.getByRole('alert').getByText('A valid key is needed').waitFor()
      await page.getByLabel('Key', { exact: true }).fill('wrong')
      await page.getByRole('button', { name: 'Use it' }).click()
      await page.getByText('The key is not one of this service').waitFor()
      await page.getByLabel('Key', { exact: true }).fill(key)
      await page.getByRole('button', { name: 'Use it' }).click()
      await page.getByText('1 item in things').waitFor()
      expect(await page.evaluate('[sessionStorage.length, localStorage.length, document.cookie]')).toEqual([1, 0, ''])
      await page.getByRole('button', { name: 'Copy as code' }).click()
      const code = await page.getByLabel('The request as curl').textContent()
      expect(code).toContain('-H "authorization: Bearer $ONEPEACE_KEY"')
      expect(await page.content()).not.toContain(key)
      const other = await bench.open()
      await other.getByRole('alert').getByText('A valid key is needed').waitFor()
      for (const each of [page, other])
        each.complaints = each.complaints.filter((text) => !text.includes('status of 401'))
    })
  })
})
