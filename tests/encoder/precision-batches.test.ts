/** Quantised models and company: an item's embedding is its own, whatever the others of its batch are. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Precision } from '../../src/bundle/manifest.ts'
import { convertCheckpoint } from '../../src/converter/convert.ts'
import { frameCount } from '../../src/encoder/input-limits.ts'
import { runGraph, type TensorData } from '../../src/encoder/onnx-session.ts'
import { maxDifference } from '../differences.ts'
import { TINY, tinyTensors, writeSafetensors, writeTinyBpe } from '../tiny-checkpoint.ts'

/** Wide enough for all its matrices to be stored in few bits. */
const CONFIG = {
  ...TINY,
  embedDim: 32,
  ffnEmbedDim: 64,
  image: { ...TINY.image!, stemChannels: 8 },
  audio: { ...TINY.audio!, convLayers: TINY.audio!.convLayers.map((layer) => ({ ...layer, channels: 32 })) },
}
const QUANTISED: Precision[] = ['int8', 'int8-block', 'int4']
/** Of a component of a unit embedding: rounding of float32 sums whose order depends on the batch, nothing more. */
const TOLERANCE = 1e-6
const SAMPLES = 16_000
const SIDE = 32

let dir: string
const bundleOf = (precision: Precision) => join(dir, precision)
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'onepeace-precisions-'))
  const [checkpointPath, bpeDir] = [join(dir, 'wide.safetensors'), join(dir, 'bpe')]
  await writeSafetensors(checkpointPath, tinyTensors(CONFIG))
  await writeTinyBpe(bpeDir)
  for (const precision of ['fp32', ...QUANTISED] as Precision[]) {
    await convertCheckpoint({ checkpointPath, bpeDir, outDir: bundleOf(precision), precision })
  }
})
afterAll(() => rm(dir, { recursive: true, force: true }))

const wave = (length: number, size: number) => Float32Array.from({ length }, (_, i) => size * Math.sin(i * i * 0.001))

/** A usual item, and one whose values are far beyond any real one's, as inputs of B = 1 each. */
const items: Record<string, { usual: Record<string, TensorData>; huge: Record<string, TensorData> }> = {
  text: { usual: tokens(70, 71, 72, 2), huge: tokens(255, 255, 255, 255) },
  image: { usual: picture(1), huge: picture(1e5) },
  audio: { usual: sound(1), huge: sound(1e5) },
}

function tokens(...ids: number[]): Record<string, TensorData> {
  return { src_tokens: { dtype: 'int64', dims: [1, ids.length], data: BigInt64Array.from(ids, BigInt) } }
}
function picture(size: number): Record<string, TensorData> {
  return { src_images: { dtype: 'float32', dims: [1, 3, SIDE, SIDE], data: wave(3 * SIDE * SIDE, size) } }
}
function sound(size: number): Record<string, TensorData> {
  const layers = CONFIG.audio.convLayers
  const length = frameCount(SAMPLES, { convLayers: layers }) + 1
  return {
    src_audios: { dtype: 'float32', dims: [1, SAMPLES], data: wave(SAMPLES, size) },
    audio_padding_masks: { dtype: 'bool', dims: [1, length], data: new Uint8Array(length) },
  }
}

/** Rows one after another. */
function batched(batch: readonly Record<string, TensorData>[]): Record<string, TensorData> {
  const names = Object.keys(batch[0]!)
  return Object.fromEntries(
    names.map((name) => {
      const parts = batch.map((item) => item[name]!)
      const [{ dtype, dims, data }] = parts as [TensorData]
      const Typed = data.constructor as new (length: number) => TensorData['data']
      const all = new Typed(data.length * parts.length)
      for (const [i, part] of parts.entries()) all.set(part.data as never, i * data.length)
      return [name, { dtype, dims: [parts.length, ...dims.slice(1)], data: all }]
    }),
  )
}

async function embed(precision: Precision, modality: string, batch: readonly Record<string, TensorData>[]) {
  const { embedding } = await runGraph(join(bundleOf(precision), `${modality}.onnx`), batched(batch), ['embedding'])
  const D = CONFIG.embedDim
  return batch.map((_, row) => (embedding!.data as Float32Array).slice(row * D, (row + 1) * D))
}

describe.each(QUANTISED)('a model stored as %s', (precision) => {
  it.each(['text', 'image', 'audio'])('embeds a usual %s beside huge ones as it does alone', async (modality) => {
    const { usual, huge } = items[modality]!
    const [alone] = await embed(precision, modality, [usual])
    const together = await embed(precision, modality, [huge, usual, huge])
    expect(maxDifference(together[1]!, alone!)).toBeLessThan(TOLERANCE)
  })

  it.each(['text', 'image', 'audio'])('is near the float32 model in what it says of a %s', async (modality) => {
    const [[exact], [near]] = await Promise.all([
      embed('fp32', modality, [items[modality]!.usual]),
      embed(precision, modality, [items[modality]!.usual]),
    ])
    expect(maxDifference(near!, exact!)).toBeGreaterThan(0) // else nothing was quantised
    const cosine = near!.reduce((sum, value, i) => sum + value * exact![i]!, 0)
    expect(cosine).toBeGreaterThan(precision === 'int4' ? 0.9 : 0.995)
  })
})
