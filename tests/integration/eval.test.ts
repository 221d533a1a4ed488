/** `onepeace eval` as a process, with the default model on small data sets made here: figures, a kill half way, misuse. */
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import sharp from 'sharp'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { readEmoji, twemojiPicture } from '../../src/samples/artwork.ts'
import { onepeace, startOnepeace } from '../command-line.ts'
import * as files from '../eval/data-set-files.ts'
import { type LiveServer, startServer } from '../live-server.ts'

const SLOW = 240_000
const PICTURES = 60
let dir: string
let server: LiveServer

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'onepeace-eval-'))
  server = await startServer()
  await mkdir(join(dir, 'coco', 'val2014'), { recursive: true })
  const images: object[] = []
  const emoji = (await readEmoji()).filter(({ hexcode }) => !hexcode.includes('-'))
  for (const { hexcode, name } of emoji.filter((_, i) => i % Math.floor(emoji.length / PICTURES) === 0)) {
    const png = await twemojiPicture(hexcode, 96, 'white')
    if (!png || images.length === PICTURES) continue
    const filename = `COCO_val2014_${hexcode}.png`
    await writeFile(join(dir, 'coco', 'val2014', filename), png)
    images.push({ filepath: 'val2014', filename, split: 'test', sentences: [{ raw: name }] })
  }
  expect(images).toHaveLength(PICTURES)
  await writeFile(join(dir, 'coco', 'dataset_coco.json'), JSON.stringify({ images, dataset: 'coco' }))
}, SLOW)
afterAll(async () => {
  await server?.stop()
  await rm(dir, { recursive: true, force: true })
})

const evaluate = (...args: string[]) => onepeace(['eval', ...args, '--url', server.url], { cwd: dir })

it('goes on where it was killed, finds far more than chance, and shows the paper beside it', {
  timeout: SLOW,
}, async () => {
  const args = ['eval', 'coco', 'coco', '--work', 'work', '--concurrency', '1', '--url', server.url]
  const first = startOnepeace(args, { cwd: dir })
  const ended = once(first, 'exit')
  while ((await answered()) < 5 && first.exitCode === null) await setTimeout(5)
  first.kill('SIGKILL')
  expect(await ended).toEqual([null, 'SIGKILL'])
  const before = await answered()
  expect(before).toBeGreaterThanOrEqual(5)
  expect(before).toBeLessThan(2 * PICTURES)

  const again = await onepeace([...args, '--json', '--plot', 'coco.svg'], { cwd: dir })
  expect(again).toMatchObject({ code: 0, stderr: '' })
  expect(await answered()).toBe(2 * PICTURES)
  const report = JSON.parse(again.stdout)
  expect(report).toMatchObject({ data_set: 'coco', split: 'test', setting: 'embeddings', limited: false, left_out: [] })
  expect(report.model.name).toBe('onepeace-nano')
  const recall = (task: string, measure: string) =>
    report.rows.find((row: { task: string; measure: string }) => row.task === task && row.measure === measure)
  expect(recall('image → text', 'R@1')).toMatchObject({ trials: PICTURES, paper: { value: 0.841 } })
  expect(recall('text → image', 'R@1').paper).toEqual({ value: 0.654, condition: 'fine-tuned' })
  expect(recall('text → image', 'R@5').paper).toBeUndefined()
  for (const task of ['image → text', 'text → image']) {
    const { interval, chance } = recall(task, 'R@10')
    expect(interval[0]).toBeGreaterThan(1.5 * chance)
  }
  const { width, height } = await sharp(join(dir, 'coco.svg')).metadata()
  expect([width, height]).toEqual([860, 120 + 6 * 44 + 70])
  expect(await readFile(join(dir, 'coco.svg'), 'utf8')).toMatch(/COCO, test.*image → text, R@1/s)

  const table = await onepeace(args, { cwd: dir })
  expect(table.stdout).toMatch(
    /^task +measure +n +found +95 % +chance +paper\nimage → text +R@1 +60 .* 84\.1 % \(fine-tuned\)\n/,
  )
  expect(table.stderr).toMatch(/^Paper: github\.com\/OFA-Sys\/ONE-PEACE.*arXiv:2305\.11172\.\n$/)
})

async function answered(): Promise<number> {
  const [name] = await readdir(join(dir, 'work')).catch(() => [])
  return name === undefined ? 0 : (await readFile(join(dir, 'work', name), 'utf8')).split('\n').length - 1
}

it('asks heads, leaves out what is missing only if told so, and draws a PNG', { timeout: SLOW }, async () => {
  const [refcoco, audiocaps, esc50] = ['refcoco', 'audiocaps', 'esc50'].map((name) => join(dir, name)) as [
    string,
    string,
    string,
  ]
  await Promise.all([mkdir(refcoco), mkdir(audiocaps), mkdir(esc50)])
  await files.writeRefCoco(refcoco)
  await files.writeAudioCaps(audiocaps)
  await files.writeEsc50(esc50)
  const boxes = await evaluate('refcoco', refcoco, '--split', 'val', '--head', 'grounding', '--plot', 'refcoco.png')
  expect(boxes.stdout).toMatch(/phrases +Acc@0\.5 +4 .*92\.6 % \(fine-tuned\)\nphrases +mean IoU +4 /)
  expect((await sharp(join(dir, 'refcoco.png')).metadata()).format).toBe('png')

  const gone = await evaluate('audiocaps', audiocaps)
  expect(gone).toMatchObject({ code: 1, stdout: '' })
  expect(gone.stderr).toMatch(
    /^onepeace: A file that the annotations name is not there: gone_gone_g_30\. .*--skip-missing/,
  )
  const without = await evaluate('audiocaps', audiocaps, '--skip-missing')
  expect(without.stdout).toMatch(/sound → text +R@1 +2 .*51\.0 % \(fine-tuned\)/)
  expect(without.stderr).toMatch(/^1 file was left out.*\n {2}gone_gone_g_30: not there\n$/m)

  const sounds = await evaluate('esc50', esc50, '--limit', '1', '--template', 'sound of {}', '--json')
  expect(JSON.parse(sounds.stdout)).toMatchObject({
    limited: true,
    setting: 'zero-shot, "sound of {}"',
    rows: [{ trials: 1 }],
  })
})

it('lists what there is, and says what is wrong with what it was told', async () => {
  const list = await onepeace(['eval'])
  expect(list.stdout).toMatch(/^name +splits +its folder holds\nnano .*\ncoco +test, val +dataset_coco\.json/)
  const wrong = async (...args: string[]) => (await onepeace(['eval', ...args], { cwd: dir })).stderr
  expect(await wrong('cocoa', 'x')).toMatch(/^onepeace: There is no benchmark 'cocoa'\. Did you mean 'coco'\?/)
  expect(await wrong('coco')).toMatch(
    /Name the folder of COCO: onepeace eval coco FOLDER\. It holds dataset_coco\.json/,
  )
  expect(await wrong('coco', 'coco', '--split', 'dev')).toMatch(/read in the splits test, val, not 'dev'/)
  expect(await wrong('coco', 'coco', '--plot', 'x.gif')).toMatch(/--plot must end in \.svg or \.png/)
  expect(await wrong('coco', 'coco', '--head', 'x')).toMatch(/leave out --head/)
  expect(await wrong('coco', 'coco', '--template', '{}')).toMatch(/this data set has none/)
  expect(await wrong('coco', 'coco', '--figures', 'x')).toMatch(/Leave out --figures/)
  expect(await wrong('nano', 'coco')).toMatch(/takes no folder/)
  expect(await wrong('nano', '--skip-missing', '--split', 'x')).toMatch(/Leave out --split, --skip-missing/)
  expect(await wrong('coco', 'nowhere')).toMatch(/The folder .*nowhere has none of dataset_coco\.json/)
})
