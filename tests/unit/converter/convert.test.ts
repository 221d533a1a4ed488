import { spawnSync } from 'node:child_process'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openBundle, verifyHashes } from '../../../src/bundle/open.ts'
import { type ConvertOptions, convertCheckpoint } from '../../../src/converter/convert.ts'
import { openGraph } from '../../../src/encoder/onnx-session.ts'
import { type Tensors, TINY, tinyTensors, writeSafetensors, writeTinyBpe } from '../../tiny-checkpoint.ts'

const CLS = 'encoder_wrapper.text_adapter.cls_embedding'
let dir: string

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'onepeace-convert-'))
  await writeTinyBpe(join(dir, 'bpe'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

async function convert(tensors: Tensors, options: Partial<ConvertOptions> = {}, cfg: unknown = {}) {
  await writeSafetensors(join(dir, 'tiny.safetensors'), tensors, cfg)
  const outDir = join(dir, 'bundle')
  const given = { checkpointPath: join(dir, 'tiny.safetensors'), bpeDir: join(dir, 'bpe'), outDir, precision: 'fp32' }
  return convertCheckpoint({ ...given, ...options } as ConvertOptions)
}

describe('converting a checkpoint', () => {
  it('makes a bundle whose manifest, hashes and graphs hold', async () => {
    const { manifest } = await convert(tinyTensors())
    const bundle = await openBundle(join(dir, 'bundle'))
    await verifyHashes(bundle)
    expect(bundle.manifest).toEqual(manifest)
    expect(manifest).toMatchObject({ name: 'bundle', embedDim: TINY.embedDim, modalities: ['text', 'image', 'audio'] })
    const graph = await openGraph(join(dir, 'bundle', 'text.onnx'))
    const { embedding } = await graph.run({
      src_tokens: { dtype: 'int64', dims: [1, 2], data: BigInt64Array.of(70n, 2n) },
    })
    await graph.close()
    const length = Math.hypot(...(embedding!.data as Float32Array))
    expect(length).toBeCloseTo(1, 5)
  })

  it('names every missing, unexpected and mis-shaped tensor in one error', async () => {
    const tensors = tinyTensors()
    tensors.delete('text_proj.bias')
    tensors.delete('encoder_wrapper.fusion_model.layers.1.gamma_2')
    tensors.set('encoder_wrapper.fusion_model.layers.0.surprise', { shape: [1], values: new Float32Array(1) })
    tensors.set('image_proj.bias', { shape: [3], values: new Float32Array(3) })
    const error = await convert(tensors).catch((cause: Error) => cause)
    expect(error).toMatchObject({ name: 'TensorMismatchError' })
    for (const name of [
      'text_proj.bias [8]',
      'layers.1.gamma_2',
      'layers.0.surprise',
      'image_proj.bias: [3] instead of [8]',
    ]) {
      expect((error as Error).message).toContain(name)
    }
  })

  it('leaves nothing behind when it fails', async () => {
    const tensors = tinyTensors()
    tensors.delete(CLS)
    await expect(convert(tensors)).rejects.toThrow(CLS)
    expect(await readdir(dir)).toEqual(['bpe', 'tiny.safetensors'])
  })

  it('never overwrites a folder that holds something', async () => {
    await expect(convert(tinyTensors(), { outDir: join(dir, 'bpe') })).rejects.toThrow(/is not empty/)
  })

  it('takes only the branches of the head type', async () => {
    const { manifest } = await convert(tinyTensors(), {}, { task: { head_type: 'vl' } })
    expect(manifest.modalities).toEqual(['text', 'image'])
    expect(await readdir(join(dir, 'bundle'))).not.toContain('audio.onnx')
  })

  it('leaves out the branches that are not asked for, and what only they need', async () => {
    const { manifest } = await convert(tinyTensors(), { branches: ['image', 'text'] })
    expect(manifest.modalities).toEqual(['text', 'image'])
    expect(manifest.audio).toBeUndefined()
    const whole = await convert(tinyTensors(), { outDir: join(dir, 'whole') })
    const weightsOf = (files: typeof manifest.files) => files.find(({ path }) => path === 'weights.bin')!.bytes
    expect(weightsOf(manifest.files)).toBeLessThan(weightsOf(whole.manifest.files))
  })

  it('says which branches there are where one is asked for that is not', async () => {
    const tensors = new Map([...tinyTensors()].filter(([name]) => !name.startsWith('audio_proj')))
    await expect(convert(tensors, { branches: ['audio'] })).rejects.toThrow('has no audio branch, but text, image.')
  })

  it("tells its progress in the checkpoint's bytes, to the end", async () => {
    const told: [number, number][] = []
    await convert(tinyTensors(), { onProgress: (done, total) => told.push([done, total]) })
    const bytes = [...tinyTensors().values()].reduce((sum, { values }) => sum + values.byteLength, 0)
    expect(told.at(-1)).toEqual([bytes, bytes])
    expect(told.length).toBe(tinyTensors().size)
  })

  it('chooses the precision for a machine', async () => {
    const { manifest } = await convert(tinyTensors(), { precision: { device: 'gpu', memoryBytes: 1e9 } })
    expect(manifest.precision).toBe('fp16')
  })

  it('removes what a killed conversion to the same place left, and nothing else', async () => {
    const { pid } = spawnSync(process.execPath, ['--version']) // a process that is no more
    for (const name of [`bundle.partial-${pid}-x`, `bundle.partial-${process.pid}-y`, `other.partial-${pid}-z`]) {
      await mkdir(join(dir, name))
    }
    await convert(tinyTensors())
    const left = (await readdir(dir)).filter((name) => name.includes('partial'))
    expect(left).toEqual([`bundle.partial-${process.pid}-y`, `other.partial-${pid}-z`])
  })

  it('refuses a dictionary of another size than the embedding table', async () => {
    await writeFile(join(dir, 'bpe', 'dict.txt'), '0 1\n')
    await expect(convert(tinyTensors())).rejects.toThrow('gives 5 token ids but the checkpoint embeds 260')
  })

  it('refuses a picture size that the tables cannot be brought to', async () => {
    await expect(convert(tinyTensors(), { imageSizePx: 40 })).rejects.toThrow(/not a multiple of 16/)
    await expect(convert(tinyTensors(), { imageSizePx: 16 })).rejects.toThrow(/can only be enlarged/)
  })

  it("refuses position buckets that are not the architecture's", async () => {
    const tensors = tinyTensors()
    tensors.set('encoder_wrapper.text_adapter.rp_bucket', { shape: [2, 2], values: new Float32Array(4) })
    await expect(convert(tensors)).rejects.toThrow(/Stored position buckets/)
  })

  it('refuses halves where a weight does not fit into one', async () => {
    const tensors = tinyTensors()
    tensors.get(CLS)!.values[0] = 1e6
    await expect(convert(tensors, { precision: 'fp16' })).rejects.toThrow(`${CLS} cannot be stored as fp16`)
  })

  it('reads the old name of the relative table', async () => {
    const tensors = tinyTensors()
    const name = 'encoder_wrapper.audio_adapter.rel_pos_table_list.0.weight'
    tensors.set('encoder_wrapper.audio_adapter.rel_pos_table.weight', tensors.get(name)!)
    tensors.delete(name)
    expect((await convert(tensors)).manifest.modalities).toContain('audio')
  })
})

describe('opening a bundle', () => {
  it('says what is missing, cut or altered', async () => {
    await convert(tinyTensors())
    const bundle = await openBundle(join(dir, 'bundle'))
    const graph = join(dir, 'bundle', 'text.onnx')
    const size = bundle.manifest.files.find(({ path }) => path === 'text.onnx')!.bytes
    await writeFile(graph, new Uint8Array(size))
    await expect(verifyHashes(bundle)).rejects.toThrow(/altered: text.onnx/)
    await writeFile(graph, 'short')
    await expect(openBundle(join(dir, 'bundle'))).rejects.toThrow(`text.onnx has 5 bytes instead of ${size}`)
    await rm(graph)
    await expect(openBundle(join(dir, 'bundle'))).rejects.toThrow('text.onnx is missing')
    await expect(openBundle(join(dir, 'nowhere'))).rejects.toThrow(/There is no bundle in/)
  })

  it('refuses a manifest that reaches outside its folder', async () => {
    const { manifest } = await convert(tinyTensors())
    const escaping = { ...manifest, weights: '../weights.bin' }
    await writeFile(join(dir, 'bundle', 'manifest.json'), JSON.stringify(escaping))
    await expect(openBundle(join(dir, 'bundle'))).rejects.toThrow(/\/weights must match pattern/)
  })
})
