import { describe, expect, it } from 'vitest'
import {
  answerRows,
  groundingRows,
  type PhraseCase,
  type SegmentCase,
  scaled,
  segmentationRows,
} from '../../../src/eval/nano/heads.ts'

const PICTURE = Uint8Array.of(1)

describe('rows of questions', () => {
  const cases = [
    { kind: 'colour', answer: 'red', chance: 1 / 8 },
    { kind: 'colour', answer: 'blue', chance: 1 / 8 },
    { kind: 'exists', answer: 'yes', chance: 1 / 2 },
    { kind: 'exists', answer: 'no', chance: 1 / 2 },
  ]
  const run = { task: 'picture questions', setting: 'held-out scenes' }

  it('tell the share of right answers over all and a kind, with the chance of each', async () => {
    const rows = await answerRows({ ...run, cases }, async ({ kind }) => (kind === 'colour' ? 'red' : 'yes'))
    expect(rows.map(({ part }) => part)).toEqual([undefined, 'colour', 'exists'])
    expect(rows.map(({ trials }) => trials)).toEqual([4, 2, 2])
    expect(rows.map(({ figures }) => figures[0]!.value)).toEqual([0.5, 0.5, 0.5])
    expect(rows.map(({ figures }) => figures[0]!.chance)).toEqual([0.3125, 0.125, 0.5])
  })

  it('are one where there is one kind', async () => {
    const rows = await answerRows({ ...run, cases: cases.slice(0, 2) }, async () => 'blue')
    expect(rows).toHaveLength(1)
  })
})

describe('rows of grounding', () => {
  const objects = [
    [0, 0, 10, 10],
    [50, 50, 90, 90],
  ] as const
  const phrase = (box: PhraseCase['box']): PhraseCase => ({
    picture: PICTURE,
    phrase: 'it',
    kind: 'name',
    box,
    guesses: objects,
  })

  it('count boxes that overlap by half, and tell what the guesses would reach', async () => {
    const cases = [phrase(objects[0]), phrase(objects[1])]
    const { rows, boxes } = await groundingRows({ task: 'grounding', setting: '', cases }, async () => [0, 0, 10, 8])
    const [accuracy, overlap] = rows[0]!.figures
    expect(accuracy).toMatchObject({ measure: 'Acc@0.5', value: 0.5, chance: 0.5 })
    expect(overlap).toMatchObject({ measure: 'mean IoU', value: 0.4, chance: 0.5 })
    expect(overlap!.interval[0]).toBeLessThan(overlap!.interval[1])
    expect(boxes).toHaveLength(2)
  })
})

describe('rows of segmentation', () => {
  const scene: SegmentCase = { picture: PICTURE, width: 2, height: 2, map: Uint8Array.of(0, 0, 1, 1) }
  const run = { task: 'segmentation', setting: '', cases: [scene, scene] }
  const labels = ['background', 'animal', 'plant']

  it('tell the mean over the classes that are there, then each class, beside all background', async () => {
    const said = async () => ({ width: 2, height: 2, map: Uint8Array.of(0, 1, 1, 1) })
    const { rows } = await segmentationRows(run, labels, said)
    expect(rows.map(({ part }) => part)).toEqual([undefined, 'background', 'animal'])
    expect(rows.map(({ figures }) => figures[0]!.value)).toEqual([(1 / 2 + 2 / 3) / 2, 1 / 2, 2 / 3])
    expect(rows.map(({ figures }) => figures[0]!.chance)).toEqual([1 / 4, 1 / 2, 0])
  })

  it('take maps of another size than the picture', async () => {
    const { rows } = await segmentationRows(run, labels, async () => ({
      width: 1,
      height: 2,
      map: Uint8Array.of(0, 1),
    }))
    expect(rows[0]!.figures[0]!.value).toBe(1)
    expect(Array.from(scaled({ width: 2, height: 1, map: Uint8Array.of(3, 4) }, { width: 4, height: 1 }))).toEqual([
      3, 3, 4, 4,
    ])
  })
})
