/** Original files and words through the whole path, decoding to answer, against the official code's outputs. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ModelHalf, openModel } from '../../src/commands/compose.ts'
import { convertCheckpoint } from '../../src/converter/convert.ts'
import { type GoldenCase, Goldens } from '../../src/eval/goldens.ts'
import { DEFAULT_LIMITS } from '../../src/services/limits.ts'
import { softmax } from '../../src/services/scores.ts'
import { maxDifference } from '../differences.ts'
import { referenceDir } from '../reference.ts'

const folder = join(referenceDir ?? '', 'setA')
const HEADS = ['grounding_text', 'vqa', 'nlvr2', 'aqa']
/** Resizing may differ by one level of 255 from Pillow, which shows in the fifth digit. */
const TOLERANCE = 1e-4

describe.skipIf(!referenceDir)('the head service, from files and words', () => {
  let dir: string
  let model: ModelHalf
  let goldens: Goldens
  const bytes = (golden: GoldenCase, index: number) => readFile(join(folder, golden.files![index]!))

  async function golden(name: string, output: string) {
    const one = goldens.cases.find((candidate) => candidate.name === name)!
    const { data, shape } = (await goldens.output(one, output))!
    const row = (i: number) => Array.from(data.subarray(i * shape[1]!, (i + 1) * shape[1]!) as Float32Array)
    return { one, row }
  }

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'onepeace-head-service-'))
    const heads = HEADS.map((name) => ({ name, checkpointPath: join(folder, 'ckpt', `${name}.pt`) }))
    const given = { checkpointPath: join(folder, 'ckpt', 'pretrain.pt'), bpeDir: join(folder, 'bpe'), heads }
    await convertCheckpoint({ ...given, outDir: join(dir, 'bundle'), precision: 'fp32' })
    model = await openModel({
      modelDir: join(dir, 'bundle'),
      limits: DEFAULT_LIMITS,
      remoteFetch: false,
      cache: { maxBytes: 0, modalities: [] },
    })
    goldens = await Goldens.open(folder)
  })
  afterAll(async () => {
    await model?.close()
    await rm(dir, { recursive: true, force: true })
  })

  it('names its heads', () => {
    expect(model.encoder.heads.map(({ name }) => name)).toEqual(HEADS)
  })

  it('grounds phrases', async () => {
    const { one, row } = await golden('grounding_text', 'boxes_pixels')
    for (const [i, phrase] of one.texts!.entries()) {
      const { boxes, width, height } = await model.heads.ground(await bytes(one, i), [phrase])
      expect(maxDifference(boxes[0]!.pixels, row(i))).toBeLessThan(TOLERANCE * Math.max(width, height))
    }
  })

  it('answers questions', async () => {
    const { one, row } = await golden('vqa', 'logits')
    for (const [i, question] of one.texts!.entries()) {
      const { scores } = await model.heads.answer(await bytes(one, i), question)
      const expected = row(i).map((logit) => 1 / (1 + Math.exp(-logit)))
      const ours = [...scores].sort((a, b) => a.index - b.index).map(({ score }) => score)
      expect(maxDifference(ours, expected)).toBeLessThan(TOLERANCE)
      expect(scores[0]!.score).toBe(Math.max(...ours))
    }
  })

  it('compares pairs of pictures', async () => {
    const { one, row } = await golden('nlvr2', 'logits')
    for (const [i, statement] of one.texts!.entries()) {
      // The case lists the first pictures of all pairs, then the second ones.
      const [first, second] = [await bytes(one, i), await bytes(one, i + 2)]
      const { score, holds } = await model.heads.comparePair(first, second, statement)
      expect(maxDifference([score], [softmax(row(i))[0]!])).toBeLessThan(TOLERANCE)
      expect(holds).toBe(true)
    }
  })

  it('chooses between answers about a sound', async () => {
    const { one, row } = await golden('aqa', 'choice_logits')
    const texts = one.texts!.slice(4).map((text) => text.slice(1).split(' answer: ') as [string, string])
    const candidates = texts.map(([, answer]) => answer)
    // Only the longer sound, as the golden's batch pads the other, which changes it (spec §7).
    const { scores } = await model.heads.answer(await bytes(one, 1), texts[0]![0], { candidates })
    const ours = [...scores].sort((a, b) => a.index - b.index).map(({ score }) => score)
    expect(maxDifference(ours, softmax(row(1)))).toBeLessThan(TOLERANCE)
    expect(scores[0]).toMatchObject({ index: 0, label: 'home' })
  })
})
