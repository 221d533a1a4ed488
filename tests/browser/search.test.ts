/** Searching in a browser: words, pictures, sounds, mixtures, what is refused, by keyboard alone. */
import { beforeAll, expect, it } from 'vitest'
import { wav } from '../api/harness.ts'
import { png } from '../api/pictures.ts'
import { choose, drop, expectRefusals, filled, inChromium, type WatchedPage } from './chromium.ts'

const red = png(60, 40, [200, 30, 30])
const blue = png(40, 60, [20, 40, 210])
const bell = wav(1, 880)
const redFile = { name: 'red.png', mimeType: 'image/png', buffer: red }
const bellFile = { name: 'bell.wav', mimeType: 'audio/wav', buffer: bell }

/** Names of what was found, best first, and the score of the best. */
async function found(page: WatchedPage): Promise<{ names: string[]; best: number }> {
  await page.getByText(/^\d+ hits? in/).waitFor()
  const cards = page.getByRole('list', { name: /^Found/ }).getByRole('listitem')
  const names = await cards.evaluateAll((all) => all.map((card) => card.getAttribute('data-item')!))
  return { names, best: Number(await cards.first().locator('.score').textContent()) }
}

async function searchWords(page: WatchedPage, words: string): Promise<void> {
  await page.getByRole('searchbox', { name: 'Words' }).fill(words)
  await page.getByRole('button', { name: 'Search', exact: true }).click()
}

inChromium('search', (bench) => {
  beforeAll(() =>
    filled(bench.h, 'things', {
      red,
      blue,
      bell,
      hum: wav(2, 110),
      note: 'a dog on the beach',
      list: 'bread and milk',
    }),
  )

  it('shows what the collection holds before anything is asked', async () => {
    const page = await bench.open()
    await page.getByText('6 items in things').waitFor()
    await page.getByRole('img', { name: 'red' }).waitFor()
    await expect.poll(() => page.getByRole('button', { name: 'Play bell' }).isEnabled()).toBe(true)
    await page.getByText('bread and milk').waitFor()
  })

  it('finds by words, and keeps them in the address', async () => {
    const page = await bench.open()
    await searchWords(page, 'a dog on the beach')
    const { names, best } = await found(page)
    expect(names).toHaveLength(6)
    expect(names[0]).toBe('note')
    expect(best).toBe(1)
    await expect.poll(() => page.url()).toContain('#/search?in=things&q=a+dog+on+the+beach')
    await page.reload()
    expect((await found(page)).names[0]).toBe('note')
  })

  it('finds by a picture from the file chooser, and by a sound let go over the page', async () => {
    const page = await bench.open()
    await choose(page, 'Picture or sound…', redFile)
    expect(await found(page)).toMatchObject({ names: expect.arrayContaining(['red']), best: 1 })
    expect((await found(page)).names[0]).toBe('red')
    await page.getByRole('button', { name: 'Remove red.png' }).click()
    await page.getByText('6 items in things').waitFor()
    await drop(page, bellFile)
    await expect.poll(async () => (await found(page)).names[0]).toBe('bell')
  })

  it('finds by a mixture, and weighs its parts by + and −', async () => {
    const page = await bench.open()
    await drop(page, redFile, bellFile)
    await page.getByRole('searchbox', { name: 'Words' }).fill('bread and milk')
    await page.getByRole('button', { name: '+ Part' }).click()
    await page.getByText('bread and milk', { exact: true }).first().waitFor()
    const first = await found(page)
    expect(new Set(first.names.slice(0, 3))).toEqual(new Set(['red', 'bell', 'list']))
    expect(first.best).toBeLessThan(1)
    for (let i = 0; i < 4; i++) await page.getByRole('button', { name: 'More of bell.wav' }).click()
    await expect.poll(() => page.getByRole('status', { name: 'Weight of bell.wav' }).textContent()).toBe('+3')
    await expect.poll(async () => (await found(page)).names[0]).toBe('bell')
    for (let i = 0; i < 8; i++) await page.getByRole('button', { name: 'Less of bell.wav' }).click()
    await expect.poll(() => page.getByRole('status', { name: 'Weight of bell.wav' }).textContent()).toBe('−1')
    await expect.poll(async () => (await found(page)).names.at(-1)).toBe('bell')
  })

  it('lets a part rest at weight 0: alone it asks for nothing, beside others it does not count', async () => {
    const page = await bench.open()
    await page.getByRole('searchbox', { name: 'Words' }).fill('bread and milk')
    await page.getByRole('button', { name: '+ Part' }).click()
    await found(page)
    for (let i = 0; i < 2; i++) await page.getByRole('button', { name: 'Less of bread and milk' }).click()
    await page.getByText('6 items in things').waitFor()
    await searchWords(page, 'a dog on the beach')
    expect(await found(page)).toMatchObject({ best: 1, names: expect.arrayContaining(['note']) })
  })

  it('shows only the kinds asked for', async () => {
    const page = await bench.open()
    await searchWords(page, 'anything')
    await found(page)
    await page.getByRole('checkbox', { name: 'Sounds' }).check()
    await expect.poll(async () => (await found(page)).names.sort()).toEqual(['bell', 'hum'])
  })

  it('finds more like a hit that is clicked, and adds a hit to the query', async () => {
    const page = await bench.open()
    await page.getByRole('button', { name: 'Similar to blue' }).click()
    expect((await found(page)).names).toHaveLength(5)
    expect((await found(page)).names).not.toContain('blue')
    await page.getByRole('button', { name: 'Remove similar to blue' }).click()
    const { x, y } = (await page.getByRole('img', { name: 'red' }).boundingBox())!
    await page.mouse.click(x + 5, y + 5)
    await expect.poll(async () => (await found(page)).names).not.toContain('red')
    await page.getByRole('button', { name: 'Remove similar to red' }).click()
    await page.getByRole('button', { name: 'Add bell to the query' }).click()
    await expect.poll(async () => (await found(page)).names[0]).toBe('bell')
    await page.getByRole('button', { name: 'Add note to the query' }).click()
    await page.getByRole('status', { name: 'Weight of a dog on the beach' }).waitFor()
    await expect.poll(async () => new Set((await found(page)).names.slice(0, 2))).toEqual(new Set(['bell', 'note']))
  })

  it('says what is wrong with a file that is none, and goes on after it', async () => {
    const page = await bench.open()
    await drop(page, { name: 'broken.png', mimeType: 'image/png', buffer: red.subarray(0, 60) })
    const alert = page.getByRole('alert')
    await alert.getByText('The picture or sound cannot be decoded').waitFor()
    expect(await alert.textContent()).toContain('422 undecodable-media')
    expectRefusals(page, 1)
    await page.getByRole('button', { name: 'Remove broken.png' }).click()
    await searchWords(page, 'bread and milk')
    expect((await found(page)).names[0]).toBe('list')
    expect(await alert.count()).toBe(0)
  })

  it('says so when the service is gone', async () => {
    const page = await bench.open()
    await page.getByText('6 items in things').waitFor()
    await page.route('**/search', (route) => route.abort())
    await searchWords(page, 'anything')
    await page.getByText('The service cannot be reached').waitFor()
    page.complaints = page.complaints.filter((text) => !text.includes('ERR_FAILED'))
  })

  it('plays a sound from where its waveform is pointed at', async () => {
    const page = await bench.open()
    const position = page.getByRole('slider', { name: 'Position in hum' })
    await expect.poll(() => position.getAttribute('aria-valuetext')).toBe('0:00 of 0:02')
    const card = page.locator('[data-item="hum"]')
    const heights = await card
      .locator('.wave rect')
      .evaluateAll((bars) => bars.map((bar) => Number(bar.getAttribute('height'))))
    expect(Math.min(...heights)).toBeGreaterThan(30) // a steady tone: every bar is tall
    await position.fill('1')
    expect(await position.getAttribute('aria-valuetext')).toBe('0:01 of 0:02')
    await page.getByRole('button', { name: 'Play hum' }).click()
    await page.getByRole('button', { name: 'Pause hum' }).waitFor()
  })

  it('can be used by keyboard alone', async () => {
    const page = await bench.open()
    await page.getByText('6 items in things').waitFor()
    await tabTo(page, 'Words')
    await page.keyboard.type('bread and milk')
    await page.keyboard.press('Enter')
    expect((await found(page)).names[0]).toBe('list')
    await tabTo(page, '+ Part')
    await page.keyboard.press('Space')
    await tabTo(page, 'Less of bread and milk')
    for (let i = 0; i < 4; i++) await page.keyboard.press('Enter')
    await expect.poll(async () => (await found(page)).names.at(-1)).toBe('list')
    await tabTo(page, 'Remove bread and milk')
    await page.keyboard.press('Enter')
    await page.getByText('6 items in things').waitFor()
    await tabTo(page, 'Similar to blue')
    await page.keyboard.press('Enter')
    expect((await found(page)).names).toHaveLength(5)
    await tabTo(page, 'Map')
    await page.keyboard.press('Enter')
    await page.getByText('6 items of 6').waitFor()
    await tabTo(page, /^Map of 6 items/)
    const visited = new Set<string>()
    for (const key of ['ArrowLeft', 'ArrowUp', 'ArrowRight', 'ArrowDown']) {
      visited.add(await focusedName(page))
      await page.keyboard.press(key)
    }
    expect(visited.size).toBeGreaterThan(1)
  })
})

const focusedName = (page: WatchedPage) =>
  page.evaluate<string>(
    `(() => { const at = document.activeElement; return at.getAttribute('aria-label') ?? at.textContent.trim() })()`,
  )

/** Presses Tab until what is focused has the name; that it shows where it is, is part of it. */
async function tabTo(page: WatchedPage, name: string | RegExp): Promise<void> {
  for (let presses = 0; presses < 80; presses++) {
    await page.keyboard.press('Tab')
    const focused = await focusedName(page)
    if (typeof name === 'string' ? focused === name : name.test(focused)) return
  }
  throw new Error(`Tab never came to ${name}.`)
}
