/** `onepeace ground` as a process, with a tiny random bundle that has a grounding head: the boxes told are those drawn. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { boxesOver } from '../../src/commands/boxes.ts'
import { convertCheckpoint } from '../../src/converter/convert.ts'
import { decodeImage, drawOver } from '../../src/media/image.ts'
import { png } from '../api/pictures.ts'
import { onepeace } from '../command-line.ts'
import { onTrunk, tinyHead, tinyTensors, writeSafetensors, writeTinyBpe } from '../tiny-checkpoint.ts'

const WIDTH = 320
const HEIGHT = 200
const GREY = [90, 90, 90]
let dir: string

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'onepeace-ground-'))
  await writeTinyBpe(join(dir, 'bpe'))
  const trunk = tinyTensors()
  const head = tinyHead(['text', 'image'], { classes: 4 })
  await writeSafetensors(join(dir, 'tiny.safetensors'), trunk)
  const cfg = { model: {}, task: { _name: 'refcoco', head_type: 'vl' } }
  await writeSafetensors(join(dir, 'ground.safetensors'), onTrunk(trunk, head, 2), cfg)
  await convertCheckpoint({
    checkpointPath: join(dir, 'tiny.safetensors'),
    heads: [{ name: 'ground', checkpointPath: join(dir, 'ground.safetensors') }],
    bpeDir: join(dir, 'bpe'),
    outDir: join(dir, 'bundle'),
    precision: 'fp32',
  } as never)
  await writeFile(join(dir, 'picture.png'), png(WIDTH, HEIGHT, GREY))
})
afterAll(() => rm(dir, { recursive: true, force: true }))

async function pixelsOf(bytes: Uint8Array) {
  const { data, width, height } = await decodeImage(bytes, { orient: true })
  const at = (x: number, y: number) => {
    const [column, row] = [Math.min(width - 1, Math.round(x)), Math.min(height - 1, Math.round(y))]
    return [...data.subarray((row * width + column) * 3, (row * width + column) * 3 + 3)]
  }
  return { width, height, at }
}

it('draws each box with its phrase in a colour of its own, at its pixels', async () => {
  const boxes = [
    { phrase: 'a <dog> & "cat"', x1: 40, y1: 60, x2: 140, y2: 160 },
    { phrase: 'sky', x1: 200, y1: 0, x2: 310, y2: 80 },
  ]
  const svg = boxesOver({ width: WIDTH, height: HEIGHT }, boxes)
  const { at, width, height } = await pixelsOf(await drawOver(png(WIDTH, HEIGHT, GREY), svg, 'boxes.png'))
  expect([width, height]).toEqual([WIDTH, HEIGHT])
  expect(at(90, 160)).toEqual([0xe6, 0x9f, 0x00])
  expect(at(310, 40)).toEqual([0x56, 0xb4, 0xe9])
  expect(at(90, 110)).toEqual(GREY)
  expect(at(42, 57)).toEqual([0xe6, 0x9f, 0x00]) // the ground of the phrase, above its box
  expect((await drawOver(png(WIDTH, HEIGHT, GREY), svg, 'a.JPG')).subarray(0, 2)).toEqual(Buffer.of(0xff, 0xd8))
})

it('prints the boxes and writes the picture with them', async () => {
  const out = join(dir, 'boxes.webp')
  const args = ['ground', join(dir, 'picture.png'), 'the red car', 'a dog', '--out', out]
  const { code, stdout } = await onepeace([...args, '--model', join(dir, 'bundle'), '--json'], { cwd: dir })
  expect(code).toBe(0)
  const { image, results } = JSON.parse(stdout)
  expect(image).toEqual({ width: WIDTH, height: HEIGHT })
  expect(results.map(({ phrase }: { phrase: string }) => phrase)).toEqual(['the red car', 'a dog'])
  const { x1, x2, y1, y2 } = results[1].box
  const { at, width } = await pixelsOf(await readFile(out))
  expect(width).toBe(WIDTH)
  const middle = at((x1 + x2) / 2, Math.max(y1, y2))
  expect(middle, 'the edge of the second box is not grey any more').not.toEqual(at(0, HEIGHT - 1))
})

it('refuses a kind of picture that it does not write', async () => {
  const { code, stderr } = await onepeace(['ground', join(dir, 'picture.png'), 'x', '--out', 'boxes.pdf'])
  expect(code).toBe(1)
  expect(stderr).toBe("onepeace: --out must end in .png, .jpg or .webp, not as 'boxes.pdf' does.\n")
})
