/** The playground over the model that comes with it: a word finds the picture, a sound finds the sound, a scene has its masks. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openServices, type Services } from '../../src/commands/compose.ts'
import { loadConfig } from '../../src/config.ts'
import { buildApp } from '../../src/http/app.ts'
import { readEmoji, twemojiPicture } from '../../src/samples/artwork.ts'
import { sampleSounds } from '../../src/samples/sounds.ts'
import { browserPath, drop, launch, watched } from './chromium.ts'

const NAMES = ['pizza', 'helicopter', 'sunflower', 'cat', 'umbrella', 'guitar']

describe.skipIf(!browserPath)('with the default model', () => {
  let dir: string
  let services: Services
  let app: FastifyInstance
  let browser: Browser
  let url: string
  const pictures = new Map<string, Buffer>()
  const sounds = [...sampleSounds()].filter(({ id }) => /^(rain|helicopter|bell|siren)-[12]$/.test(id))

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'onepeace-nano-page-'))
    const config = loadConfig({ data: dir }, {})
    services = await openServices(config)
    app = await buildApp({ ...config, keys: undefined, logLevel: 'silent' }, services)
    url = await app.listen({ host: '127.0.0.1', port: 0 })
    for (const { name, hexcode } of await readEmoji()) {
      if (NAMES.includes(name)) pictures.set(name, Buffer.from((await twemojiPicture(hexcode, 160, '#fff3d9'))!))
    }
    const { collections, items } = services.forTenant('default')
    await collections.create('things', {})
    const media = [
      ...pictures,
      ...sounds.filter(({ id }) => id.endsWith('1')).map(({ id, render }) => [id, render()] as const),
    ]
    for (const [id, bytes] of media) {
      await items.create('things', id, { content: [{ kind: 'media', bytes, weight: 1 }], metadata: { name: id } })
    }
    browser = await launch()
  })
  afterAll(async () => {
    await browser?.close()
    await app?.close()
    await services?.close()
    await rm(dir, { recursive: true, force: true })
  })

  it('finds a picture by a word, a sound by another recording of it, and draws the masks of a picture', async () => {
    const page = await watched(browser)
    await page.goto(`${url}/#/search?q=pizza`)
    const first = page
      .getByRole('list', { name: /^Found/ })
      .getByRole('listitem')
      .first()
    await expect.poll(() => first.getAttribute('data-item')).toBe('pizza')
    await page.getByRole('searchbox', { name: 'Words' }).fill('')
    const rain = sounds.find(({ id }) => id === 'rain-2')!
    await drop(page, { name: 'rain.wav', mimeType: 'audio/wav', buffer: rain.render() })
    await expect.poll(() => first.getAttribute('data-item')).toBe('rain-1')

    await page.getByRole('link', { name: 'Look closer' }).click()
    await page.getByText('Choose, drop or record').waitFor()
    await drop(page, { name: 'pizza.png', mimeType: 'image/png', buffer: pictures.get('pizza')! })
    await page.getByRole('button', { name: 'Rank them' }).click()
    const labels = page.getByRole('list', { name: 'Labels, best first' }).getByRole('listitem')
    await expect.poll(() => labels.first().locator('.name').textContent()).toBe('pizza')
    await page.getByRole('button', { name: 'Draw them' }).click()
    await page.getByRole('list', { name: 'Classes found' }).getByText('food').waitFor()
    await page.getByRole('textbox', { name: 'Phrases, between commas' }).fill('pizza')
    await page.getByRole('button', { name: 'Point at them' }).click()
    await page.locator('[data-phrase="pizza"]').first().waitFor()
    expect(page.complaints).toEqual([])
    await page.context().close()
  })
})
