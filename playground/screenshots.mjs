// Starts the built service with its samples on an empty data folder and writes docs/playground/*.png:
// `npm run build && node playground/screenshots.mjs [FOLDER]`. Needs Chromium (CHROMIUM_PATH, or where Debian puts it).
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'
import sharp from 'sharp'
import { readEmoji, twemojiPicture } from '../dist/samples/artwork.js'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const OUT = process.argv[2] ?? join(ROOT, 'docs/playground')
const MAX_BYTES = 300_000
const PHONE = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true }
const GROUND = '#f4f7ee'
const DESK = { viewport: { width: 1240, height: 860 } }

const executablePath = [process.env.CHROMIUM_PATH, '/usr/bin/chromium', '/usr/bin/google-chrome'].find(
  (path) => path && existsSync(path),
)
if (!executablePath)
  throw new Error('There is no Chromium: `apt-get install chromium`, or name one with CHROMIUM_PATH.')

const dataDir = await mkdtemp(join(tmpdir(), 'onepeace-screenshots-'))
const service = spawn(process.execPath, ['bin/onepeace.js', 'serve', '--samples', '--port', '0', '--data', dataDir], {
  cwd: ROOT,
  stdio: ['ignore', 'pipe', 'inherit'],
})
const ended = new Promise((resolve) => service.once('exit', resolve))
const args = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-sync']
args.push('--disable-background-networking', '--disable-component-update')
try {
  const url = await samplesReady()
  const browser = await chromium.launch({ executablePath, args })
  await mkdir(OUT, { recursive: true })
  for (const [name, { screen, draw }] of Object.entries(shots(await scene()))) {
    const context = await browser.newContext(screen)
    const page = await context.newPage()
    await draw(page, url)
    await settled(page)
    await write(name, await page.screenshot())
    await context.close()
  }
  await browser.close()
} finally {
  service.kill('SIGTERM')
  await ended
  await rm(dataDir, { recursive: true, force: true })
}

/** Each picture of docs/playground: on which screen, and how one comes to see it. */
function shots(scenePicture) {
  const search = async (page, url) => {
    await page.goto(`${url}/#/search?in=samples`)
    await page.getByRole('searchbox', { name: 'Words' }).fill('bell')
    await page.getByRole('checkbox', { name: 'Sounds' }).check()
    await page.getByRole('button', { name: 'Add bell to the query' }).first().click()
    await page.getByRole('status', { name: 'Weight of bell' }).waitFor()
    await page.getByRole('searchbox', { name: 'Words' }).fill('church')
    await page.getByRole('button', { name: '+ Part' }).click()
    await page.getByRole('button', { name: 'More of church' }).click()
    await page.getByRole('checkbox', { name: 'Pictures', exact: true }).check()
    await page.getByText(/hits in/).waitFor()
  }
  const map = async (page, url) => {
    await page.goto(`${url}/#/map?in=samples`)
    await page.getByText('214 items of 214').waitFor()
    await page.locator('.plot [data-kind="audio"]').nth(12).click()
  }
  const showScene = async (page, url) => {
    await page.goto(`${url}/#/look`)
    const [chooser] = await Promise.all([
      page.waitForEvent('filechooser'),
      page.getByRole('button', { name: 'Picture or sound…' }).click(),
    ])
    await chooser.setFiles({ name: 'scene.png', mimeType: 'image/png', buffer: scenePicture })
  }
  const ground = async (page, url) => {
    await showScene(page, url)
    await page.getByRole('textbox', { name: 'Phrases, between commas' }).fill('the house, the tree, the car')
    await page.getByRole('button', { name: 'Point at them' }).click()
    await page.getByRole('list', { name: 'Boxes' }).waitFor()
  }
  const look = async (page, url) => {
    await showScene(page, url)
    await page.getByRole('button', { name: 'Draw them' }).click()
    await page.getByRole('list', { name: 'Classes found' }).waitFor()
    await page.getByRole('textbox', { name: 'Labels, between commas' }).fill('house, tree, car, guitar, pizza')
    await page.getByRole('button', { name: 'Rank them' }).click()
    await page.getByRole('list', { name: 'Labels, best first' }).waitFor()
  }
  const pizza = (page, url) => page.goto(`${url}/#/search?in=samples&q=pizza`)
  return {
    'search-light': { screen: DESK, draw: search },
    'search-dark': { screen: { ...DESK, colorScheme: 'dark' }, draw: search },
    'grounding-light': { screen: { viewport: { width: 1240, height: 960 } }, draw: ground },
    'look-light': { screen: { viewport: { width: 1240, height: 960 } }, draw: look },
    'map-dark': { screen: { ...DESK, colorScheme: 'dark' }, draw: map },
    'search-phone': { screen: PHONE, draw: pizza },
    'map-phone-dark': { screen: { ...PHONE, colorScheme: 'dark' }, draw: map },
    'reference-light': {
      screen: DESK,
      draw: async (page, url) => {
        await page.goto(`${url}/docs#searchCollection`)
        await page.locator('#searchCollection').waitFor()
      },
    },
  }
}

/** No picture on its way, no wave not yet drawn. */
async function settled(page) {
  await page.waitForLoadState('networkidle')
  await page.waitForFunction(() =>
    [...document.querySelectorAll('.waiting')].every((one) => one.getBoundingClientRect().top > innerHeight),
  )
  await page.evaluate(() => document.activeElement?.matches('input') && document.activeElement.blur())
  await page.waitForTimeout(1500)
}

async function write(name, png) {
  const palette = await sharp(png).png({ palette: true, colours: 256, effort: 10, compressionLevel: 9 }).toBuffer()
  if (palette.length > MAX_BYTES)
    throw new Error(`${name}.png has ${palette.length} bytes; at most ${MAX_BYTES} are wanted.`)
  await writeFile(join(OUT, `${name}.png`), palette)
  console.log(`${name}.png ${Math.round(palette.length / 1000)} kB`)
}

/** Resolves with the address once every sample is in. */
function samplesReady() {
  return new Promise((resolve, reject) => {
    let said = ''
    service.stdout.on('data', async (chunk) => {
      said += chunk
      const url = /http:\/\/[\d.:]+/.exec(said)?.[0]
      if (url && said.includes('Try it yourself')) resolve(url)
    })
    service.once('exit', (code) => reject(new Error(`The service ended with code ${code}: ${said}`)))
  })
}

/** Several things in one picture, such as the default model's segmentation head knows. */
async function scene() {
  const emoji = new Map((await readEmoji()).map(({ name, hexcode }) => [name, hexcode]))
  const place = async (name, sidePx, left, top) => ({
    input: await twemojiPicture(emoji.get(name), sidePx, GROUND),
    left,
    top,
  })
  const things = await Promise.all([
    place('house', 190, 30, 150),
    place('deciduous tree', 170, 270, 30),
    place('automobile', 150, 250, 210),
  ])
  return sharp({ create: { width: 480, height: 400, channels: 3, background: GROUND } })
    .composite(things)
    .png()
    .toBuffer()
}
