import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type GraphSession, openGraph } from '../../src/encoder/onnx-session.ts'
import { readNpy } from '../../src/eval/npy.ts'
import { decodeImage } from '../../src/media/image.ts'
import { buildImagePreprocessGraph } from '../../src/model/image-preprocess.ts'
import { maxDifference } from '../differences.ts'
import { referenceDir } from '../reference.ts'

interface MediaEntry {
  kind: string
  file: string
  outputs: Record<string, { file: string }>
}

const goldens = join(referenceDir ?? '', 'setA')
const entries: MediaEntry[] = referenceDir
  ? (JSON.parse(await readFile(join(goldens, 'manifest.json'), 'utf8')) as { media: MediaEntry[] }).media
  : []
const pictures = entries.filter(({ kind }) => kind === 'image')
const sizes = (entry: MediaEntry) =>
  Object.keys(entry.outputs).flatMap((key) => (/^resized_\d+$/.test(key) ? [Number(key.slice(8))] : []))

describe.skipIf(!referenceDir)('pictures made ready for the model, against Pillow', () => {
  let dir: string
  const graphs = new Map<number, GraphSession>()

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'onepeace-resize-'))
  })
  afterAll(async () => {
    for (const graph of graphs.values()) await graph.close()
    await rm(dir, { recursive: true, force: true })
  })

  async function graphFor(sizePx: number): Promise<GraphSession> {
    const path = join(dir, `${sizePx}.onnx`)
    if (!graphs.has(sizePx)) {
      await writeFile(path, buildImagePreprocessGraph(sizePx).encode())
      graphs.set(sizePx, await openGraph(path))
    }
    return graphs.get(sizePx)!
  }

  async function prepare(data: Uint8Array, width: number, height: number, sizePx: number) {
    const graph = await graphFor(sizePx)
    return graph.run({ image: { dtype: 'uint8', dims: [height, width, 3], data } })
  }

  const golden = (entry: MediaEntry, name: string) => readNpy(join(goldens, entry.outputs[name]!.file))

  it.each(pictures)('resizes the pixels of $file within one level of 255, enlarging and shrinking', async (entry) => {
    const pixels = await golden(entry, 'decoded_rgb')
    const [height, width] = pixels.shape as [number, number]
    for (const sizePx of sizes(entry)) {
      const { resized } = await prepare(pixels.data as Uint8Array, width, height, sizePx)
      const expected = await golden(entry, `resized_${sizePx}`)
      expect(maxDifference(resized!.data as Uint8Array, expected.data as Uint8Array), `${sizePx}`).toBeLessThanOrEqual(
        1,
      )
    }
  })

  it.each(pictures)('goes from the bytes of $file to the same input, within one level', async (entry) => {
    const decoded = await decodeImage(await readFile(join(goldens, entry.file)), { orient: false })
    for (const sizePx of sizes(entry)) {
      const { resized } = await prepare(decoded.data, decoded.width, decoded.height, sizePx)
      const expected = await golden(entry, `resized_${sizePx}`)
      expect(maxDifference(resized!.data as Uint8Array, expected.data as Uint8Array), `${sizePx}`).toBeLessThanOrEqual(
        1,
      )
    }
  })

  it.each(pictures)('normalises $file as torchvision does', async (entry) => {
    const pixels = await golden(entry, 'decoded_rgb')
    const [height, width] = pixels.shape as [number, number]
    const expected = await golden(entry, 'tensor')
    const { src_images } = await prepare(pixels.data as Uint8Array, width, height, expected.shape[1]!)
    const oneLevel = 1 / 255 / 0.26130258 // of the channel with the smallest deviation
    expect(maxDifference(src_images!.data as Float32Array, expected.data as Float32Array)).toBeLessThanOrEqual(
      oneLevel + 1e-6,
    )
  })
})
