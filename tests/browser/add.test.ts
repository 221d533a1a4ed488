/** Adding in a browser: collections, many files, each with its own fate; microphone and camera. */
import { beforeAll, expect, it } from 'vitest'
import { png } from '../api/pictures.ts'
import { choose, drop, expectRefusals, filled, inChromium, type WatchedPage } from './chromium.ts'

const picture = (i: number) => ({ name: `picture-${i}.png`, mimeType: 'image/png', buffer: png(20 + i, 30) })

async function ids(page: WatchedPage, url: string, collection: string) {
  const { items } = await (await page.request.get(`${url}/v1/collections/${collection}/items`)).json()
  return items as {
    id: string
    modality: string
    metadata: { name?: string }
    media: { duration_ms?: number; width?: number }
  }[]
}

inChromium(
  'adding',
  (bench) => {
    beforeAll(() => filled(bench.h, 'first', {}))

    it('makes a collection and adds texts to it, one a line', async () => {
      const page = await bench.open('/#/add')
      await page.getByRole('textbox', { name: 'Name of a new collection' }).fill('notes')
      await page.getByRole('button', { name: 'Make it' }).click()
      await page.getByText('Into notes, or a new one').waitFor()
      await page.getByRole('textbox', { name: 'Texts, one a line' }).fill('bread and milk\n\na dog on the beach\n')
      await page.getByRole('button', { name: 'Add 2 texts' }).click()
      await page.getByText('2 of 2 things added.').waitFor()
      await page.getByRole('link', { name: 'Search', exact: true }).click()
      await page.getByText('2 items in notes').waitFor()
      await page.getByText('a dog on the beach').waitFor()
    })

    it('says why a collection cannot be made', async () => {
      const page = await bench.open('/#/add')
      await page.getByRole('textbox', { name: 'Name of a new collection' }).fill('Not A Name')
      await page.getByRole('button', { name: 'Make it' }).click()
      const alert = page.getByRole('alert')
      await alert.getByText('must match pattern').waitFor()
      expectRefusals(page, 1)
    })

    it('adds many files, and says of each bad one what is wrong with it', async () => {
      const page = await bench.open('/#/add')
      await page.getByRole('combobox', { name: 'Collection' }).selectOption('first')
      const good = Array.from({ length: 12 }, (_, i) => picture(i))
      const files = [
        { ...picture(0), name: 'cut.png', buffer: png(20, 30).subarray(0, 50) },
        ...good,
        { name: 'page.pdf', mimeType: 'application/pdf', buffer: Buffer.from('%PDF-1.7 nothing') },
        { name: 'huge.wav', mimeType: 'audio/wav', buffer: Buffer.alloc(1_500_000) },
      ]
      await choose(page, 'Files…', ...files)
      await page.getByText('12 of 15 things added, 3 failed.').waitFor()
      const rows = page.getByRole('list', { name: 'Things' }).getByRole('listitem')
      const told = await rows.evaluateAll((all) => all.slice(0, 4).map((row) => row.textContent))
      expect(told[0]).toMatch(/^cut\.png.*failed.*picture/)
      expect(told.join('\n')).toMatch(/page\.pdf.*failed.*kind/)
      expect(told.join('\n')).toMatch(/huge\.wav.*failed.*has 1\.5 MB; this service takes 1\.0 MB at most/)
      expect(told[3]).toMatch(/picture-0\.png.*added/)
      expect(await page.getByRole('progressbar', { name: 'Things settled' }).getAttribute('value')).toBe('15')
      const stored = await ids(page, bench.url, 'first')
      expect(stored.map(({ metadata }) => metadata.name).sort()).toEqual(good.map(({ name }) => name).sort())
      expectRefusals(page, 2)
    })

    it('tries what failed again', async () => {
      const page = await bench.open('/#/add')
      await page.getByText('Drop pictures and sounds here').waitFor()
      await page.route('**/items', (route) => route.abort(), { times: 1 })
      await drop(page, picture(40))
      await page.getByText('0 of 1 thing added, 1 failed.').waitFor()
      await page.getByText('Nothing answers at this address').waitFor()
      await page.getByRole('button', { name: 'Try 1 thing again' }).click()
      await page.getByText('1 of 1 thing added.').waitFor()
      page.complaints = page.complaints.filter((text) => !text.includes('ERR_FAILED'))
    })

    it('records a sound from the microphone as a WAV that the service takes', async () => {
      const page = await bench.open('/#/add')
      await page.getByRole('combobox', { name: 'Collection' }).selectOption('notes')
      await page.getByRole('button', { name: 'Record a sound' }).click()
      await page.getByRole('button', { name: /Stop recording 0:01/ }).click()
      await page.getByText('1 of 1 thing added.').waitFor()
      const recorded = (await ids(page, bench.url, 'notes')).find(({ modality }) => modality === 'audio')!
      expect(recorded.metadata.name).toBe('recording.wav')
      expect(recorded.media.duration_ms).toBeGreaterThan(800)
    })

    it('takes a picture with the camera', async () => {
      const page = await bench.open('/#/search')
      await page.getByRole('button', { name: 'Take a picture' }).click()
      await expect.poll(() => page.evaluate(`document.querySelector('dialog video').videoWidth`)).toBeGreaterThan(0)
      await page.getByRole('button', { name: 'Take the picture' }).click()
      await page.getByText('photo.png').waitFor()
      await page.getByText(/hits? in/).waitFor()
      expect(await page.getByRole('dialog').count()).toBe(0)
    })
  },
  { limits: { maxRequestBytes: 1_000_000 } },
)
