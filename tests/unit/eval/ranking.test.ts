/** Measures against the reference's own values (where they are) and against what must hold whatever the data. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { averagePrecision, type Box, boxIou, chanceOfHit, dot, mean } from '../../../src/eval/metrics.ts'
import { crossRanks } from '../../../src/eval/runs/ranking.ts'
import { seeded } from '../../../src/samples/synthesis.ts'
import { referenceDir } from '../../reference.ts'

const goldenPath = referenceDir === undefined ? '' : join(referenceDir, 'units', 'metrics.json')
const hasGoldens = existsSync(goldenPath)
if (!hasGoldens)
  console.warn("SKIPPED: the reference's metrics are not there; set ONEPEACE_REFERENCE to compare with them.")

describe.skipIf(!hasGoldens)("the reference's metrics (spec §14)", () => {
  const golden = hasGoldens ? JSON.parse(readFileSync(goldenPath, 'utf8')) : {}
  const vectors = (rows: number[][]) => rows.map((row) => Float32Array.from(row))

  it('recall both ways is the same', async () => {
    const { image_ids, image_embeddings, text_ids, text_embeddings, result } = golden.recall
    const of = text_ids.map((id: number) => image_ids.indexOf(id))
    const { ofMedia, ofTexts } = await crossRanks(vectors(image_embeddings), vectors(text_embeddings), of)
    const percent = (ranks: number[], k: number) => (100 * ranks.filter((rank) => rank < k).length) / ranks.length
    const at = (ranks: number[]) => [1, 5, 10].map((k) => percent(ranks, k))
    expect(at(ofMedia)).toEqual([result.txt_r1, result.txt_r5, result.txt_r10])
    expect(at(ofTexts)).toEqual([result.img_r1, result.img_r5, result.img_r10])
    expect(mean([...at(ofMedia), ...at(ofTexts)])).toBeCloseTo(result.r_mean, 10)
  })

  it('accuracy of boxes is the same', () => {
    const { hyps, refs, result } = golden.iou_acc as { hyps: Box[]; refs: Box[]; result: { iou_acc: number } }
    const hits = hyps.filter((box, i) => boxIou(box, refs[i]!) >= 0.5).length
    expect(hits / hyps.length).toBeCloseTo(result.iou_acc, 12)
  })

  it('mean average precision is the same', () => {
    const { logits, targets, result } = golden.map as {
      logits: number[][]
      targets: number[][]
      result: { map: number }
    }
    const precisions = logits[0]!.map((_, label) =>
      averagePrecision(
        logits.map((row) => row[label]!),
        targets.map((row) => row[label] === 1),
      ),
    )
    expect(mean(precisions)).toBeCloseTo(result.map, 10)
  })

  it('accuracy is the same', () => {
    const { logits, targets, result } = golden.accuracy as {
      logits: number[][]
      targets: number[]
      result: { accuracy: number }
    }
    const hits = logits.filter((row, i) => row.indexOf(Math.max(...row)) === targets[i]).length
    expect(hits / logits.length).toBeCloseTo(result.accuracy, 12)
  })
})

const unit = fc
  .array(fc.integer({ min: -9, max: 9 }), { minLength: 3, maxLength: 3 })
  .filter((values) => values.some((value) => value !== 0))
  .map((values) => Float32Array.from(values, (value) => value / Math.hypot(...values)))

describe('ranks both ways', () => {
  it('are those of sorting all the cosines, a tie counting against the right one', async () => {
    const world = fc.integer({ min: 1, max: 6 }).chain((count) =>
      fc.record({
        media: fc.array(unit, { minLength: count, maxLength: count }),
        texts: fc
          .array(fc.record({ text: unit, of: fc.nat(count - 1) }), { maxLength: 12 })
          .chain((more) =>
            fc
              .array(unit, { minLength: count, maxLength: count })
              .map((own) => [...own.map((text, of) => ({ text, of })), ...more]),
          ),
      }),
    )
    await fc.assert(
      fc.asyncProperty(world, async ({ media, texts }) => {
        const of = texts.map((text) => text.of)
        const { ofMedia, ofTexts } = await crossRanks(
          media,
          texts.map(({ text }) => text),
          of,
        )
        for (const [i, medium] of media.entries()) {
          const own = Math.max(...texts.filter((text) => text.of === i).map(({ text }) => dot(medium, text)))
          expect(ofMedia[i]).toBe(texts.filter((text) => text.of !== i && dot(medium, text.text) >= own).length)
        }
        for (const [j, { text, of }] of texts.entries()) {
          const right = dot(media[of]!, text)
          expect(ofTexts[j]).toBe(media.filter((medium, i) => i !== of && dot(medium, text) >= right).length)
        }
      }),
      { numRuns: 200 },
    )
  })

  it('do not change when media and texts are given in another order', async () => {
    const chance = seeded(5)
    const random = () => Float32Array.from({ length: 4 }, () => chance() - 0.5)
    const media = Array.from({ length: 7 }, random)
    const texts = Array.from({ length: 14 }, random)
    const of = texts.map((_, j) => j % 7)
    const { ofMedia, ofTexts } = await crossRanks(media, texts, of)
    const turned = await crossRanks(
      [...media].reverse(),
      [...texts].reverse(),
      [...of].reverse().map((i) => 6 - i),
    )
    expect(turned.ofMedia.reverse()).toEqual(ofMedia)
    expect(turned.ofTexts.reverse()).toEqual(ofTexts)
  })
})

describe('average precision', () => {
  const ranking = fc.array(fc.record({ score: fc.integer({ min: 0, max: 5 }), isRight: fc.boolean() }), {
    minLength: 1,
  })
  const of = (ranked: { score: number; isRight: boolean }[]) =>
    averagePrecision(
      ranked.map(({ score }) => score),
      ranked.map(({ isRight }) => isRight),
    )

  it('is 1 where the right ones come first, the mean precision at each right one otherwise', () => {
    expect(averagePrecision([3, 2, 1], [true, true, false])).toBe(1)
    expect(averagePrecision([3, 2, 1], [false, true, true])).toBeCloseTo((1 / 2 + 2 / 3) / 2)
    expect(averagePrecision([1, 1, 1, 1], [true, false, false, false])).toBe(0.25)
    expect(averagePrecision([1, 2], [false, false])).toBeNaN()
  })

  it('is never more than 1, never changes with the order of what is given or the scale of scores', () => {
    fc.assert(
      fc.property(
        ranking.filter((ranked) => ranked.some(({ isRight }) => isRight)),
        (ranked) => {
          const value = of(ranked)
          expect(value).toBeGreaterThan(0)
          expect(value).toBeLessThanOrEqual(1)
          expect(of([...ranked].reverse())).toBeCloseTo(value, 12)
          expect(of(ranked.map(({ score, isRight }) => ({ score: 2 * score ** 3 - 7, isRight })))).toBeCloseTo(
            value,
            12,
          )
        },
      ),
    )
  })
})

describe('chance of a hit', () => {
  it('is what drawing at random gives', () => {
    expect(chanceOfHit(1, 1, 50)).toBeCloseTo(0.02)
    expect(chanceOfHit(10, 1, 50)).toBeCloseTo(0.2)
    expect(chanceOfHit(2, 2, 4)).toBeCloseTo(1 - (2 / 4) * (1 / 3))
    expect(chanceOfHit(4, 1, 4)).toBe(1)
    const chance = seeded(2)
    const draws = 20_000
    let hits = 0
    for (let draw = 0; draw < draws; draw++) {
      const left = Array.from({ length: 12 }, (_, i) => i)
      const drawn = Array.from({ length: 5 }, () => left.splice(Math.floor(chance() * left.length), 1)[0]!)
      if (drawn.some((i) => i < 3)) hits++
    }
    expect(hits / draws).toBeCloseTo(chanceOfHit(5, 3, 12), 1)
  })
})
