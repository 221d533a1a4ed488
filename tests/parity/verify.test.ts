import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Precision } from '../../src/bundle/manifest.ts'
import { verifyFolder } from '../../src/commands/verify.ts'
import { convertCheckpoint } from '../../src/converter/convert.ts'
import { referenceDir } from '../reference.ts'

const goldens = join(referenceDir ?? '', 'setA')
let workDir: string

/** Of an embedding to the official code's, of models so small that each rounding counts; docs/precision.md has larger ones. */
const LEAST_COSINE = { int8: 0.995, 'int8-block': 0.995, int4: 0.95 }

/** Each head's golden case, which bears its checkpoint's name, and the outputs that the case holds. */
const HEADS: [checkpoint: string, outputs: string[]][] = [
  ['grounding_image', ['boxes', 'boxes_pixels', 'image_hidden', 'logits', 'text_hidden']],
  ['grounding_text', ['boxes', 'boxes_pixels', 'image_hidden', 'logits', 'text_hidden']],
  ['audio_classify', ['audio_hidden', 'logits', 'sigmoid', 'softmax']],
  ['aqa', ['choice', 'choice_logits', 'logits', 'text_hidden']],
  ['vqa', ['logits']],
  ['nlvr2', ['logits']],
]

async function convertAndVerify(checkpoint: string, precision: Precision = 'fp32', imageSizePx?: number) {
  const outDir = join(workDir, `${checkpoint}-${precision}-${imageSizePx}`)
  await convertCheckpoint({
    checkpointPath: join(goldens, 'ckpt', `${checkpoint}.pt`),
    bpeDir: join(goldens, 'bpe'),
    outDir,
    precision,
    imageSizePx,
  })
  return verifyFolder(outDir, goldens, checkpoint)
}

describe.skipIf(!referenceDir)('a converted checkpoint against the official code', () => {
  beforeAll(async () => {
    workDir = await mkdtemp(join(tmpdir(), 'onepeace-verify-'))
  })
  afterAll(() => rm(workDir, { recursive: true, force: true }))

  it.each([
    ['pretrain', 10],
    ['pretrain_fp16', 3],
    ['pretrain_bf16', 3],
    ['retrieval_vl', 2],
    ['retrieval_al', 2],
  ])('gives the embeddings of every %s case to 2e-5, and its token ids', async (checkpoint, cases) => {
    const report = await convertAndVerify(checkpoint)
    expect(report.tolerance).toBe(2e-5)
    expect(report.cases.filter(({ passed }) => !passed)).toEqual([])
    expect(report.cases).toHaveLength(cases)
    expect(report.cases.filter(({ kind }) => kind === 'text').every(({ tokensEqual }) => tokensEqual)).toBe(true)
  })

  it.each(HEADS)(
    'gives the outputs of the %s head to the stated bounds, and its token ids',
    async (checkpoint, names) => {
      const report = await convertAndVerify(checkpoint)
      expect(report.cases).toHaveLength(1)
      const [result] = report.cases
      expect(result).toMatchObject({ name: checkpoint, passed: true })
      expect(result!.outputs!.map(({ name }) => name).sort()).toEqual(names)
      expect(result!.maxDifference).toBeLessThan(2e-5)
      expect(result!.tokensEqual).toBe(checkpoint === 'audio_classify' ? undefined : true)
    },
  )

  it('finds the heads of a bundle that holds several on one base', async () => {
    const outDir = join(workDir, 'several')
    const heads = HEADS.map(([name]) => ({ name, checkpointPath: join(goldens, 'ckpt', `${name}.pt`) }))
    const checkpointPath = join(goldens, 'ckpt', 'pretrain.pt')
    await convertCheckpoint({ checkpointPath, heads, bpeDir: join(goldens, 'bpe'), outDir, precision: 'fp32' })
    for (const name of ['pretrain', ...HEADS.map(([head]) => head)]) {
      expect(await verifyFolder(outDir, goldens, name)).toMatchObject({ checkpoint: name, passed: true })
    }
  })

  it.each(HEADS)('stays within the stated bounds with the %s head stored as halves', async (checkpoint) => {
    const report = await convertAndVerify(checkpoint, 'fp16')
    console.log(`${checkpoint} as fp16: ${report.cases[0]!.maxDifference.toExponential(2)}`)
    expect(report.passed).toBe(true)
  })

  it('enlarges the position tables for larger pictures as the official loader does', async () => {
    const report = await convertAndVerify('pretrain', 'fp32', 96)
    expect(report.cases.map(({ name }) => name)).toContain('image_upscaled_tables')
    expect(report.passed).toBe(true)
  })

  it('leaves out, with its reason, what the bundle does not serve', async () => {
    const report = await convertAndVerify('retrieval_vl', 'fp16')
    expect(report.leftOut).toContainEqual({
      name: 'loss_retrieval_vl',
      reason: 'the bundle has no graph for kind loss',
    })
  })

  it('fails where no case ran', async () => {
    expect((await verifyFolder(join(workDir, 'retrieval_vl-fp16-undefined'), goldens, 'nosuch')).passed).toBe(false)
  })

  it.each(['int8', 'int8-block', 'int4'] as const)('stays within the stated bound stored as %s', async (precision) => {
    const report = await convertAndVerify('pretrain', precision)
    const largest = Math.max(...report.cases.map((result) => result.maxDifference))
    const least = Math.min(...report.cases.map((result) => result.leastCosine!))
    console.log(`pretrain as ${precision}: ${largest.toExponential(2)}, cosine ${least.toFixed(5)}`)
    expect(report.passed).toBe(true)
    expect(least).toBeGreaterThan(LEAST_COSINE[precision])
  })

  it.each(['pretrain', 'retrieval_vl', 'retrieval_al'])(
    'stays within the stated bound with %s stored as halves',
    async (checkpoint) => {
      const outDir = join(workDir, `${checkpoint}-halves`)
      await convertCheckpoint({
        checkpointPath: join(goldens, 'ckpt', `${checkpoint}.pt`),
        bpeDir: join(goldens, 'bpe'),
        outDir,
        precision: 'fp16',
      })
      const report = await verifyFolder(outDir, goldens, checkpoint)
      console.log(`${checkpoint} as fp16: ${Math.max(...report.cases.map((c) => c.maxDifference)).toExponential(2)}`)
      expect(report.passed).toBe(true)
    },
  )
})
