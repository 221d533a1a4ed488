/** Looking closer in a browser: boxes at the right pixels, labels, masks, and what a model cannot do. */
import sharp from 'sharp'
import { beforeAll, describe, expect, it } from 'vitest'
import type { HeadInfo } from '../../src/encoder/encoder.ts'
import { wav } from '../api/harness.ts'
import { drop, filled, inChromium, type WatchedPage } from './chromium.ts'

const HEADS: HeadInfo[] = [
  { name: 'boxes', task: 'grounding', inputs: ['text', 'image'], classes: 4 },
  { name: 'parts', task: 'segmentation', inputs: ['image'], classes: 2, labels: ['sky', 'bird'] },
  { name: 'things', task: 'classification', inputs: ['image'], classes: 3, labels: ['cat', 'dog', 'cow'] },
  { name: 'noises', task: 'classification', inputs: ['audio'], classes: 2, labels: ['rain', 'bell'] },
]
/** Where each phrase is, by the number of its words, as fractions of the picture's sides. */
const BOXES: Record<number, [number, number, number, number]> = { 1: [0.25, 0.5, 0.75, 0.9], 2: [0.1, 0.1, 0.5, 0.3] }
const VERMILION = [213, 94, 0]
const BLUE = [0, 114, 178]
const GREY = { r: 120, g: 130, b: 125 }

const picture = (width: number, height: number) => sharp({ create: { width, height, channels: 3, background: GREY } })
const asFile = (buffer: Buffer, name = 'scene.png') => ({ name, mimeType: 'image/png', buffer })

/** The colours of the page as it is drawn. */
async function screen(page: WatchedPage) {
  const { data, info } = await sharp(await page.screenshot())
    .raw()
    .toBuffer({ resolveWithObject: true })
  return (x: number, y: number) => {
    const at = (Math.floor(y) * info.width + Math.floor(x)) * info.channels
    return [data[at]!, data[at + 1]!, data[at + 2]!]
  }
}

const near = (a: number[], b: number[]) => Math.max(...a.map((value, i) => Math.abs(value - b[i]!))) <= 12

/** Every edge of the box is drawn in its colour, in its place in the picture as shown, and nothing is one step beside it. */
async function expectBox(page: WatchedPage, alt: string, box: [number, number, number, number], colour: number[]) {
  const shown = (await page.getByRole('img', { name: alt }).boundingBox())!
  const colourAt = await screen(page)
  const at = (fx: number, fy: number) => ({ x: shown.x + fx * shown.width, y: shown.y + fy * shown.height })
  const [x1, y1, x2, y2] = box
  const [middleX, middleY] = [(x1 + x2) / 2, (y1 + y2) / 2]
  const edges = [at(x1, middleY), at(x2, middleY), at(middleX, y1), at(middleX, y2)]
  for (const { x, y } of edges) expect(near(colourAt(x, y), colour), `edge at ${x}, ${y}: ${colourAt(x, y)}`).toBe(true)
  const beside = [at(x1 - 0.05, middleY), at(x2 + 0.05, middleY), at(middleX, y1 - 0.05), at(middleX, y2 + 0.05)]
  for (const { x, y } of beside) expect(near(colourAt(x, y), [120, 130, 125]), `beside at ${x}, ${y}`).toBe(true)
}

async function point(page: WatchedPage, phrases: string) {
  await page.getByRole('textbox', { name: 'Phrases, between commas' }).fill(phrases)
  await page.getByRole('button', { name: 'Point at them' }).click()
  await page.getByRole('list', { name: 'Boxes' }).waitFor()
}

inChromium('looking closer, with heads', (bench) => {
  beforeAll(async () => {
    bench.h.encoder.heads = HEADS
    bench.h.encoder.answer = (name, inputs) => {
      if (name === 'parts') return { logits: Float32Array.of(1, 1, 0, 0, 0, 0, 9, 9), dims: [2, 2, 2] }
      const words = (inputs.text?.tokenIds.length ?? 2) - 1
      const logits = { things: [0, 2, 1], noises: [0, 3] }[name] ?? [0]
      return { logits: Float32Array.from(logits), dims: [logits.length], boxes: Float32Array.from(BOXES[words]!) }
    }
    await filled(bench.h, 'scenes', { wide: await picture(400, 200).png().toBuffer(), words: 'a text' })
  })

  it('draws the boxes of several phrases at their pixels, each in its colour', async () => {
    const page = await bench.open('/#/look')
    await page.getByRole('heading', { name: 'Look closer' }).waitFor({ state: 'attached' })
    await drop(page, asFile(await picture(400, 300).png().toBuffer()))
    await point(page, 'dog, red car')
    await expectBox(page, 'scene.png', BOXES[1]!, VERMILION)
    await expectBox(page, 'scene.png', BOXES[2]!, BLUE)
    const legend = await page.getByRole('list', { name: 'Boxes' }).getByRole('listitem').allTextContents()
    expect(legend[0]).toContain('dog100, 150, 300, 270')
    expect(legend[1]).toContain('red car40, 30, 200, 90')
  })

  it('draws them on a picture larger than the window, and on one that its EXIF tag turns', async () => {
    const page = await bench.open('/#/look')
    await page.getByRole('heading', { name: 'Look closer' }).waitFor({ state: 'attached' })
    await drop(page, asFile(await picture(2400, 1800).png().toBuffer(), 'large.png'))
    await point(page, 'dog')
    await expectBox(page, 'large.png', BOXES[1]!, VERMILION)
    const turned = await picture(500, 300).withMetadata({ orientation: 6 }).jpeg({ quality: 100 }).toBuffer()
    await drop(page, asFile(turned, 'turned.jpg'))
    await point(page, 'dog')
    const shown = (await page.getByRole('img', { name: 'turned.jpg' }).boundingBox())!
    expect(shown.height).toBeGreaterThan(shown.width)
    await expectBox(page, 'turned.jpg', BOXES[1]!, VERMILION)
  })

  it('points at the words of a search in the pictures found', async () => {
    const page = await bench.open('/#/search?q=dog')
    await page.getByText(/^2 hits in/).waitFor()
    await page.getByRole('checkbox', { name: 'Point at it in pictures' }).check()
    await page.locator('[data-item="wide"] [data-phrase="dog"]').waitFor()
    await expectBox(page, 'wide', BOXES[1]!, VERMILION)
  })

  it('ranks labels as bars, and asks the heads that take such a thing', async () => {
    const page = await bench.open('/#/look')
    await page.getByRole('heading', { name: 'Look closer' }).waitFor({ state: 'attached' })
    await drop(page, asFile(await picture(40, 40).png().toBuffer()))
    await page.getByRole('textbox', { name: 'Labels, between commas' }).fill('cat, dog\ncow, cat')
    await page.getByRole('button', { name: 'Rank them' }).click()
    const bars = page.getByRole('list', { name: 'Labels, best first' }).getByRole('listitem')
    await expect.poll(() => bars.count()).toBe(3)
    const shares = (await bars.locator('.value').allTextContents()).map(Number.parseFloat)
    expect(shares.reduce((sum, share) => sum + share, 0)).toBeCloseTo(100, 0)
    expect(shares).toEqual([...shares].sort((a, b) => b - a))
    await page.getByRole('region', { name: 'things' }).getByRole('button', { name: 'Ask it' }).click()
    const classes = page.getByRole('list', { name: 'Classes of things, best first' }).getByRole('listitem')
    await expect.poll(() => classes.locator('.name').allTextContents()).toEqual(['dog', 'cow', 'cat'])
    expect(await page.getByRole('region', { name: 'noises' }).count()).toBe(0)
    await drop(page, { name: 'bell.wav', mimeType: 'audio/wav', buffer: wav(1) })
    await page.getByRole('region', { name: 'noises' }).waitFor()
    expect(await page.getByRole('form', { name: 'Phrases' }).count()).toBe(0)
  })

  it('lays the masks over the picture, and hides a class on demand', async () => {
    const page = await bench.open('/#/look')
    await page.getByRole('heading', { name: 'Look closer' }).waitFor({ state: 'attached' })
    await drop(page, asFile(await picture(400, 300).png().toBuffer()))
    await page.getByRole('button', { name: 'Draw them' }).click()
    const found = page.getByRole('list', { name: 'Classes found' })
    await expect.poll(() => found.getByRole('listitem').allTextContents()).toEqual(['sky50 %', 'bird50 %'])
    const { x, y, width, height } = (await page.getByRole('img', { name: 'scene.png' }).boundingBox())!
    const blended = (colour: number[]) => colour.map((value, i) => 0.6 * value + 0.4 * [120, 130, 125][i]!)
    const shown = await screen(page)
    expect(near(shown(x + width / 2, y + height / 4), blended(VERMILION))).toBe(true)
    expect(near(shown(x + width / 2, y + (3 * height) / 4), blended(BLUE))).toBe(true)
    await found.getByRole('checkbox', { name: 'bird' }).uncheck()
    await expect
      .poll(async () => near((await screen(page))(x + width / 2, y + (3 * height) / 4), [120, 130, 125]))
      .toBe(true)
  })

  it('takes a stored item for a closer look', async () => {
    const page = await bench.open()
    await page.getByRole('button', { name: 'Look closer at wide' }).click()
    await page.getByRole('img', { name: 'wide' }).waitFor()
    await point(page, 'dog')
    await expectBox(page, 'wide', BOXES[1]!, VERMILION)
  })
})

inChromium('looking closer, without heads', (bench) => {
  describe('a model that only embeds', () => {
    it('says in a sentence what it cannot do', async () => {
      const page = await bench.open('/#/look')
      await page.getByRole('heading', { name: 'Look closer' }).waitFor({ state: 'attached' })
      await drop(page, asFile(await picture(40, 40).png().toBuffer()))
      await page.getByText('fake-nano has no grounding head, so it cannot draw the box of a phrase.').waitFor()
      await page.getByText('fake-nano has no segmentation head').waitFor()
      expect(await page.getByRole('button', { name: 'Point at them' }).count()).toBe(0)
      await page.getByRole('button', { name: 'Rank them' }).click()
      await page.getByRole('list', { name: 'Labels, best first' }).waitFor()
    })
  })
})
