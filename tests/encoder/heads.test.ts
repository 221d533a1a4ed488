/** Tiny fine-tuned checkpoints through the converter and real session workers (built by `npm test`). */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { BundleManifest } from '../../src/bundle/manifest.ts'
import { convertCheckpoint } from '../../src/converter/convert.ts'
import type { AudioInput, Encoder, HeadInputs, ImageInput, TextInput } from '../../src/encoder/encoder.ts'
import { openLocalEncoder } from '../../src/encoder/local-encoder.ts'
import { runGraph } from '../../src/encoder/onnx-session.ts'
import type { ModelConfig } from '../../src/model/config.ts'
import { maxDifference } from '../differences.ts'
import { onTrunk, tinyHead, tinyTensors, writeSafetensors, writeTinyBpe } from '../tiny-checkpoint.ts'

const text = (...ids: number[]): TextInput => ({ modality: 'text', tokenIds: [...ids, 2] })
const image = (shade: number): ImageInput => ({
  modality: 'image',
  width: 40,
  height: 30,
  data: Uint8Array.from({ length: 40 * 30 * 3 }, (_, i) => (i * shade) % 256),
})
const audio = (samples: number): AudioInput => ({
  modality: 'audio',
  waveform: Float32Array.from({ length: samples }, (_, i) => Math.sin(i * i)),
})

interface Case {
  task: string
  config: ModelConfig
  cfg: object
  inputs: () => HeadInputs
  dims: number[]
}

const cfgOf = (name: string, headType: string, model: object = {}) => ({
  model,
  task: { _name: name, head_type: headType },
})
const CASES: Record<string, Case> = {
  grounding: {
    task: 'grounding',
    config: tinyHead(['text', 'image'], { classes: 4 }),
    cfg: cfgOf('refcoco', 'vl'),
    inputs: () => ({ text: text(70, 80), image: image(7) }),
    dims: [4],
  },
  'grounding-by-picture': {
    task: 'grounding',
    config: tinyHead(['text', 'image'], { classes: 4, pooled: 'image' }),
    cfg: cfgOf('refcoco', 'vl', { use_image_features: true }),
    inputs: () => ({ text: text(70, 80), image: image(7) }),
    dims: [4],
  },
  vqa: {
    task: 'answering',
    config: tinyHead(['text', 'image'], { classes: 5, pooler: true }),
    cfg: cfgOf('vqa', 'vl'),
    inputs: () => ({ text: text(70), image: image(3) }),
    dims: [5],
  },
  nlvr2: {
    task: 'pair-reasoning',
    config: tinyHead(['text', 'image'], { classes: 2, twoImages: true }),
    cfg: cfgOf('nlvr2', 'vl'),
    inputs: () => ({ text: text(70, 71, 72), image: image(3), image2: image(5) }),
    dims: [2],
  },
  aqa: {
    task: 'answer-choice',
    config: tinyHead(['text', 'audio'], { classes: 1 }),
    cfg: cfgOf('aqa', 'al'),
    inputs: () => ({ text: text(9, 8, 7), audio: audio(16_321) }),
    dims: [1],
  },
  sounds: {
    task: 'multi-label',
    config: tinyHead(['audio'], { classes: 6 }),
    cfg: cfgOf('fsd50k', 'audio'),
    inputs: () => ({ audio: audio(20_000) }),
    dims: [6],
  },
  pictures: {
    task: 'classification',
    config: tinyHead(['image'], { attnPooling: false }),
    cfg: cfgOf('image_classify', 'image'),
    inputs: () => ({ image: image(9) }),
    dims: [3],
  },
  texts: {
    task: 'classification',
    config: tinyHead(['text'], {}),
    cfg: cfgOf('classification', 'text'),
    inputs: () => ({ text: text(9, 10) }),
    dims: [3],
  },
  segments: {
    task: 'segmentation',
    config: tinyHead(['image'], { segments: 7 }),
    cfg: cfgOf('segment', 'image'),
    inputs: () => ({ image: image(9) }),
    dims: [7, 8, 8],
  },
}
const NAMES = Object.keys(CASES)

let dir: string
let manifest: BundleManifest
let encoder: Encoder
const bundle = () => join(dir, 'bundle')

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'onepeace-heads-'))
  await writeTinyBpe(join(dir, 'bpe'))
  const trunk = tinyTensors()
  await writeSafetensors(join(dir, 'base.safetensors'), trunk)
  for (const [i, name] of NAMES.entries()) {
    const { config, cfg } = CASES[name]!
    await writeSafetensors(join(dir, `${name}.safetensors`), onTrunk(trunk, config, 100 + i), cfg)
  }
  const heads = NAMES.map((name) => ({ name, checkpointPath: join(dir, `${name}.safetensors`) }))
  const paths = { checkpointPath: join(dir, 'base.safetensors'), bpeDir: join(dir, 'bpe'), outDir: bundle() }
  manifest = (await convertCheckpoint({ ...paths, heads, precision: 'fp32' })).manifest
  encoder = openLocalEncoder(bundle(), manifest, { threads: 1 })
})
afterAll(async () => {
  await encoder?.close()
  await rm(dir, { recursive: true, force: true })
})

describe('a head of a converted bundle', () => {
  it.each(NAMES)('%s answers with its logits, the same whenever asked', async (name) => {
    const { inputs, dims, task } = CASES[name]!
    const output = await encoder.runHead(name, inputs())
    expect(output.dims).toEqual(dims)
    expect(output.logits).toHaveLength(dims.reduce((product, side) => product * side, 1))
    expect(new Set(output.logits).size).toBeGreaterThan(0.9 * output.logits.length) // not one value everywhere
    expect(output.boxes !== undefined).toBe(task === 'grounding')
    const again = await Promise.all([
      encoder.runHead(name, inputs()),
      encoder.encode(text(5, 6)),
      encoder.runHead(name, inputs()),
    ])
    expect(again[0]).toEqual(output)
    expect(again[2]).toEqual(output)
  })

  it('is listed with its task and inputs', () => {
    expect(encoder.heads.map(({ name, task }) => [name, task])).toEqual(NAMES.map((name) => [name, CASES[name]!.task]))
    expect(encoder.heads[3]).toEqual({
      name: 'nlvr2',
      task: 'pair-reasoning',
      inputs: ['text', 'image', 'image2'],
      classes: 2,
      imageSizePx: 32,
    })
  })

  it('gives boxes that are the sigmoid of its logits', async () => {
    const { logits, boxes } = await encoder.runHead('grounding', CASES.grounding!.inputs())
    const sigmoid = Array.from(logits, (x) => 1 / (1 + Math.exp(-x)))
    expect(maxDifference(boxes!, sigmoid)).toBeLessThan(1e-6)
  })

  it('heeds every one of its inputs', async () => {
    const given = CASES.nlvr2!.inputs
    const { logits } = await encoder.runHead('nlvr2', given())
    for (const change of [{ text: text(71, 70, 72) }, { image: image(11) }, { image2: image(11) }]) {
      const changed = await encoder.runHead('nlvr2', { ...given(), ...change })
      expect(maxDifference(changed.logits, logits)).toBeGreaterThan(1e-6)
    }
    const swapped = await encoder.runHead('nlvr2', { ...given(), image: image(5), image2: image(3) })
    expect(maxDifference(swapped.logits, logits)).toBeGreaterThan(1e-6)
  })

  it('gives a sample the same logits in a padded batch', async () => {
    const head = manifest.heads!.find(({ name }) => name === 'vqa')!
    const pixels = Float32Array.from({ length: 2 * 3 * 32 * 32 }, (_, i) => Math.sin(i))
    const run = async (rows: number[][], pictures: Float32Array) => {
      const ids = BigInt64Array.from(rows.flat().map(BigInt))
      const { logits } = await runGraph(join(bundle(), head.graph), {
        src_tokens: { dtype: 'int64', dims: [rows.length, rows[0]!.length], data: ids },
        src_images: { dtype: 'float32', dims: [rows.length, 3, 32, 32], data: pictures },
      })
      return logits!.data as Float32Array
    }
    const alone = await run([[70, 2]], pixels.subarray(0, pixels.length / 2))
    const padded = await run(
      [
        [70, 2, 1, 1],
        [9, 8, 7, 2],
      ],
      pixels,
    )
    expect(maxDifference(padded.subarray(0, 5), alone)).toBeLessThan(1e-5)
    expect(maxDifference(padded.subarray(5), alone)).toBeGreaterThan(1e-4)
  })

  it('refuses what it cannot take, by type', async () => {
    await expect(encoder.runHead('nosuch', {})).rejects.toMatchObject({ code: 'not-found' })
    await expect(encoder.runHead('vqa', { text: text(5) })).rejects.toThrow(TypeError)
    await expect(encoder.runHead('sounds', { audio: audio(240_001) })).rejects.toMatchObject({
      code: 'media-too-large',
    })
    const long = text(...new Array(79).fill(5))
    await expect(encoder.runHead('texts', { text: long })).rejects.toMatchObject({ code: 'input-too-long' })
    await expect(encoder.runHead('texts', { text: text(5) }, AbortSignal.abort())).rejects.toMatchObject({
      code: 'deadline-exceeded',
    })
  })

  it('says why its graph does not open, while the rest goes on', async () => {
    const heads = manifest.heads!.map((head) => (head.name === 'vqa' ? { ...head, graph: 'head-gone.onnx' } : head))
    const damaged = openLocalEncoder(bundle(), { ...manifest, heads }, { threads: 1 })
    await expect(damaged.runHead('vqa', CASES.vqa!.inputs())).rejects.toMatchObject({ code: 'encoder-unavailable' })
    expect((await damaged.runHead('texts', CASES.texts!.inputs())).logits).toHaveLength(3)
    await damaged.close()
  })
})

describe('a bundle of one head', () => {
  it('has no embeddings, and answers as the head among others does', async () => {
    const outDir = join(dir, 'alone')
    const given = {
      checkpointPath: join(dir, 'vqa.safetensors'),
      bpeDir: join(dir, 'bpe'),
      outDir,
      precision: 'fp32' as const,
    }
    const alone = (await convertCheckpoint(given)).manifest
    expect(alone).toMatchObject({ modalities: [], heads: [{ name: 'vqa', task: 'answering' }] })
    const single = openLocalEncoder(outDir, alone, { threads: 1 })
    await single.ready()
    expect(await single.runHead('vqa', CASES.vqa!.inputs())).toEqual(await encoder.runHead('vqa', CASES.vqa!.inputs()))
    await expect(single.encode(text(5))).rejects.toMatchObject({ code: 'unsupported-by-model' })
    await single.close()
  })
})
