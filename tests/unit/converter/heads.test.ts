import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openBundle } from '../../../src/bundle/open.ts'
import { type ConvertOptions, convertCheckpoint } from '../../../src/converter/convert.ts'
import type { ModelConfig } from '../../../src/model/config.ts'
import { planTensors } from '../../../src/model/tensors.ts'
import { onTrunk, type Tensors, tinyHead, tinyTensors, writeSafetensors, writeTinyBpe } from '../../tiny-checkpoint.ts'

const VQA = tinyHead(['text', 'image'], { classes: 5 })
const PICTURES = tinyHead(['image'], { classes: 3 })
const trunk = tinyTensors()
let dir: string
const at = (name: string) => join(dir, name)

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'onepeace-heads-'))
  await writeTinyBpe(at('bpe'))
  await writeSafetensors(at('base.safetensors'), trunk)
})
afterEach(() => rm(dir, { recursive: true, force: true }))

async function writeHead(name: string, config: ModelConfig, cfg: unknown, seed = 7, tensors?: Tensors) {
  await writeSafetensors(at(`${name}.safetensors`), tensors ?? onTrunk(trunk, config, seed), cfg)
  return { name, checkpointPath: at(`${name}.safetensors`) }
}

let bundles = 0
async function convert(options: Partial<ConvertOptions>) {
  const outDir = at(`bundle-${bundles++}`)
  const given = { checkpointPath: at('base.safetensors'), bpeDir: at('bpe'), precision: 'fp32' as const }
  const { manifest, unusedTensors } = await convertCheckpoint({ ...given, outDir, ...options })
  return { manifest, unusedTensors, outDir, weightBytes: (await stat(join(outDir, 'weights.bin'))).size }
}

const taskNamed = (_name: string, head_type: string) => ({ task: { _name, head_type } })
const vqa = taskNamed('vqa', 'vl')

describe('heads on a common trunk', () => {
  it.each(['fp32', 'fp16'] as const)('store it once, in %s', async (precision) => {
    const a = await writeHead('a', VQA, vqa, 7)
    const b = await writeHead('b', VQA, vqa, 8)
    const base = await convert({ precision })
    const both = await convert({ precision, heads: [a, b] })
    const own = planTensors(VQA).filter(({ name }) => name.startsWith('classify_head.'))
    const bytes = own.reduce((sum, { shape }) => sum + shape.reduce((product, side) => product * side, 1), 0)
    const each = bytes * (precision === 'fp16' ? 2 : 4)
    expect(both.weightBytes - base.weightBytes).toBeGreaterThanOrEqual(2 * each)
    expect(both.weightBytes - base.weightBytes).toBeLessThan(2 * (each + own.length * 64))
  })

  it('store what differs, and only that', async () => {
    const changed = onTrunk(trunk, VQA, 7)
    const name = 'encoder_wrapper.fusion_model.layers.0.text_ffn.0.wi_0.weight'
    const { shape, values } = changed.get(name)!
    changed.set(name, { shape, values: values.map((value) => value + 1) })
    const same = await convert({ heads: [await writeHead('a', VQA, vqa)] })
    const other = await convert({ heads: [await writeHead('b', VQA, vqa, 7, changed)] })
    expect(other.weightBytes - same.weightBytes).toBeGreaterThanOrEqual(values.byteLength)
    expect(other.weightBytes - same.weightBytes).toBeLessThan(values.byteLength + 128)
  })
})

describe('the task of a head', () => {
  it.each([
    ['vqa', 'vl', VQA, 'answering'],
    ['vggsound', 'audio', tinyHead(['audio'], {}), 'classification'],
    ['fsd50k', 'audio', tinyHead(['audio'], {}), 'multi-label'],
    ['some_pairs', 'vl', tinyHead(['text', 'image'], { classes: 2, twoImages: true }), 'pair-reasoning'],
    ['some_scores', 'al', tinyHead(['text', 'audio'], { classes: 1 }), 'answer-choice'],
    ['segment', 'vl', tinyHead(['image'], { segments: 4 }), 'segmentation'],
    ['multi-label', 'image', PICTURES, 'multi-label'],
  ])('of %s (%s) is told by its checkpoint', async (name, headType, config, task) => {
    const head = await writeHead('head', config, taskNamed(name, headType))
    expect((await convert({ heads: [head] })).manifest.heads).toMatchObject([{ name: 'head', task }])
  })

  it('is asked for where nothing tells it', async () => {
    const head = await writeHead('head', PICTURES, taskNamed('mine', 'image'))
    await expect(convert({ heads: [head] })).rejects.toThrow(
      /cannot be told .* task "mine"\): say --head-task head=TASK/,
    )
    const { manifest } = await convert({ heads: [head], headTasks: { head: 'multi-label' } })
    expect(manifest.heads![0]!.task).toBe('multi-label')
  })

  it('must fit the head', async () => {
    const head = await writeHead('head', VQA, vqa)
    await expect(convert({ heads: [head], headTasks: { head: 'grounding' } })).rejects.toThrow(
      'The head head cannot be for grounding, which takes a text and a picture and gives four numbers.',
    )
    await expect(convert({ heads: [head], headTasks: { other: 'answering' } })).rejects.toThrow('names other')
  })
})

describe('the labels beside a checkpoint', () => {
  const heads = async () => [await writeHead('head', PICTURES, taskNamed('image_classify', 'image'))]

  it.each([
    ['an array', ['cat', 'dog', 'cow']],
    ['the official object', { 2: 'cow', 0: 'cat', 1: 'dog' }],
  ])('are read from %s', async (_, json) => {
    await writeFile(at('head.labels.json'), JSON.stringify(json))
    const { outDir } = await convert({ heads: await heads() })
    expect((await openBundle(outDir)).manifest.heads![0]!.labels).toEqual(['cat', 'dog', 'cow'])
  })

  it('need not be there', async () => {
    expect((await convert({ heads: await heads() })).manifest.heads![0]).not.toHaveProperty('labels')
  })

  it.each([
    ['["cat"]', 'has 1 labels, but the head has 3 classes'],
    ['[1, 2, 3]', 'is neither a JSON array of strings nor an object'],
    ['{"1": "cat", "2": "dog", "3": "cow"}', 'is neither a JSON array of strings nor an object'],
    ['cat', 'are not valid JSON'],
  ])('are refused where they are %s', async (json, message) => {
    await writeFile(at('head.labels.json'), json)
    await expect(convert({ heads: await heads() })).rejects.toThrow(message)
  })
})

describe('converting heads', () => {
  it('refuses a base that is a head, and a head that is none', async () => {
    const head = await writeHead('head', VQA, vqa)
    await expect(convert({ ...head, heads: [head] })).rejects.toThrow('is itself fine-tuned')
    const base = { name: 'base', checkpointPath: at('base.safetensors') }
    await expect(convert({ heads: [base] })).rejects.toThrow('has no head')
  })

  it('refuses names that repeat or are no file names', async () => {
    const head = await writeHead('head', VQA, vqa)
    await expect(convert({ heads: [head, head] })).rejects.toThrow('two heads named head')
    await expect(convert({ heads: [{ ...head, name: '../head' }] })).rejects.toThrow("cannot be named '../head'")
  })

  it('refuses a head on three modalities, which ONE-PEACE cannot join', async () => {
    const head = await writeHead('head', tinyHead(['text', 'image', 'audio'], {}), taskNamed('vqa', 'val'))
    await expect(convert({ heads: [head] })).rejects.toThrow('joins two at most')
  })

  it('names what is missing from a head, and leaves out what it does without', async () => {
    const tensors = onTrunk(trunk, VQA, 7)
    tensors.set('text_proj.weight', trunk.get('text_proj.weight')!)
    tensors.set('logit_scale', { shape: [], values: Float32Array.of(1) })
    const head = await writeHead('head', VQA, vqa, 7, tensors)
    expect((await convert({ heads: [head] })).unusedTensors).toEqual(['text_proj.weight', 'logit_scale'])
    tensors.delete('classify_head.classifier.1.bias')
    tensors.set('classify_head.surprise', { shape: [1], values: new Float32Array(1) })
    await writeHead('head', VQA, vqa, 7, tensors)
    const error = (await convert({ heads: [head] }).catch((cause: Error) => cause)) as Error
    expect(error.message).toContain('1 missing:\n  classify_head.classifier.1.bias [10]')
    expect(error.message).toContain('1 unexpected:\n  classify_head.surprise')
  })

  it('leaves the mark of second pictures to heads that take two', async () => {
    const pairs = tinyHead(['text', 'image'], { classes: 2, twoImages: true })
    const typed = { text: { ...VQA.text!, typeEmbedding: true }, image: { ...VQA.image!, typeEmbedding: true } }
    const config = { ...VQA, ...typed }
    const mark = 'encoder_wrapper.image_adapter.type_embedding_2'
    const tensors = onTrunk(trunk, config, 7)
    tensors.set(mark, tinyTensors(pairs).get(mark)!)
    const head = await writeHead('head', config, vqa, 7, tensors)
    expect((await convert({ heads: [head] })).unusedTensors).toEqual([mark])
    expect(planTensors(pairs).map(({ name }) => name)).toContain(mark)
  })

  it('prepares pictures of another size with a graph of their own', async () => {
    const larger = tinyHead(['image'], { classes: 3 })
    const config = { ...larger, image: { ...larger.image!, storedRelBucketSize: 3, relBucketSize: 3 } }
    const head = await writeHead('head', config, taskNamed('image_classify', 'image'), 7, tinyTensors(config, 7))
    const { manifest } = await convert({ heads: [head] })
    expect(manifest.image).toMatchObject({ preprocessGraph: 'image_preprocess.onnx', sizePx: 32 })
    expect(manifest.heads![0]!.image).toEqual({ preprocessGraph: 'image_preprocess_48.onnx', sizePx: 48 })
  })
})

describe('opening a bundle of heads', () => {
  it('says what a schema cannot', async () => {
    const { manifest, outDir } = await convert({ heads: [await writeHead('head', VQA, vqa)] })
    const [head] = manifest.heads!
    const { image: _, ...unsaid } = head!
    for (const [heads, message] of [
      [[{ ...head, labels: ['yes'] }], 'has 5 classes but 1 labels'],
      [[head, head], 'several heads named head'],
      [[unsaid], 'takes image but does not say how it must be'],
      [[{ ...head, task: 'guessing' }], '/heads/0/task must be equal to one of the allowed values'],
    ] as const) {
      await writeFile(join(outDir, 'manifest.json'), JSON.stringify({ ...manifest, heads }))
      await expect(openBundle(outDir)).rejects.toThrow(message)
    }
  })
})
