/** The committed default model on a slice of its benchmark: enough to see that it does real work, quick enough for every run. */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { measureNano } from '../../src/commands/eval.ts'
import { readSplits } from '../../src/eval/nano/splits.ts'

const bundle = fileURLToPath(new URL('../../models/onepeace-nano/manifest.json', import.meta.url))
if (!existsSync(bundle))
  console.warn('SKIPPED: there is no models/onepeace-nano; train and convert it (training/README.md).')

describe.skipIf(!existsSync(bundle))('the default model, over HTTP, on what it never saw', () => {
  it('finds pictures by words, words by pictures, and both by speech, far above chance', async () => {
    const splits = await readSplits()
    const words = splits.words.filter((_, i) => i % 10 === 0)
    const names = splits.names.filter((_, i) => i % 15 === 0)
    const { rows, leftOut } = await measureNano({
      ...splits,
      words,
      names,
      held_out_voices: splits.held_out_voices.slice(0, 1),
    })
    for (const { task, reason } of leftOut) console.warn(`SKIPPED: ${task}: ${reason}.`)
    expect(rows.map(({ task }) => task).slice(0, 2)).toEqual(['text → image', 'image → text'])
    for (const { task, recalls } of rows) {
      const r10 = recalls.at(-1)!
      expect(r10.interval[0], task).toBeGreaterThan(1.5 * r10.chance)
    }
  })
})
