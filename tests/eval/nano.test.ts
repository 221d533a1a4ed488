/** The committed default model on a slice of its benchmark: enough to see that it does real work, quick enough for every run. */
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, it } from 'vitest'
import { measureNano } from '../../src/commands/eval-nano.ts'
import { type BenchmarkReport, tasksOf, withReport } from '../../src/eval/nano/report.ts'
import { readSplits } from '../../src/eval/nano/splits.ts'

const bundle = fileURLToPath(new URL('../../models/onepeace-nano/manifest.json', import.meta.url))
if (!existsSync(bundle))
  console.warn('SKIPPED: there is no models/onepeace-nano; train and convert it (training/README.md).')

describe.skipIf(!existsSync(bundle))('the default model, over HTTP, on what it never saw', () => {
  let report: BenchmarkReport

  beforeAll(async () => {
    const splits = await readSplits()
    const words = splits.words.filter((_, i) => i % 10 === 0)
    const spoken = new Set(words.map(({ hexcode }) => hexcode))
    const names = splits.names.filter(({ hexcode }, i) => i % 20 === 0 || spoken.has(hexcode))
    const held_out_voices = splits.held_out_voices.slice(0, 1)
    report = (await measureNano({ splits: { ...splits, words, names, held_out_voices } })).report
    for (const { task, reason } of report.notMeasured) console.warn(`SKIPPED: ${task}: ${reason}`)
  })

  it('finds pictures by words, words by pictures, and both by speech, far above chance', () => {
    expect(report.rows.map(({ task }) => task).slice(0, 2)).toEqual(['text → image', 'image → text'])
    for (const { task, part, figures } of report.rows) {
      const { measure, interval, chance } = figures.at(-1)!
      if (chance !== undefined) expect(interval[0], `${task} ${part} ${measure}`).toBeGreaterThan(1.5 * chance)
    }
  })

  it('ranks the same when searching a collection as by embeddings', () => {
    const same = report.rows.find(({ task }) => task === 'by collection: same order as by embeddings')!
    expect(same.figures[0]).toMatchObject({ measure: 'identical', value: 1 })
  })

  it('has a model card that tells of the same tasks', async () => {
    const card = await readFile(new URL('../../docs/nano.md', import.meta.url), 'utf8')
    expect(new Set(tasksOf(card))).toEqual(new Set(tasksOf(withReport(card, report))))
  })
})
