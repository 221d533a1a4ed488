import { expect, it } from 'vitest'
import type { BundleManifest } from '../../../src/bundle/manifest.ts'
import { describeLanes, lanesOf } from '../../../src/encoder/lanes.ts'

const manifest = {
  modalities: ['text', 'image', 'audio'],
  heads: [{}],
  files: [{ bytes: 1e9 }],
} as unknown as BundleManifest

it('gives texts workers of their own, and has the others stand back', () => {
  const [words, media] = lanesOf(manifest, {}, 2)
  expect(words).toMatchObject({ kinds: ['text'], workers: 1, threads: 2, nice: 0 })
  expect(media).toMatchObject({ kinds: ['image', 'audio', 'head'], workers: 1, threads: 2 })
  expect(media!.nice).toBeGreaterThan(0)
})

it('uses many cores by workers of at most eight threads, unless told otherwise', () => {
  const media = (cores: number, options = {}) => {
    const { workers, threads } = lanesOf(manifest, options, cores)[1]!
    return [workers, threads]
  }
  expect([1, 8, 12, 64].map((cores) => media(cores))).toEqual([
    [1, 1],
    [1, 8],
    [2, 6],
    [8, 8],
  ])
  expect(media(4, { workers: 2 })).toEqual([2, 2])
  expect(media(4, { workers: 8 })).toEqual([8, 1])
  expect(media(4, { threads: 1 })).toEqual([4, 1])
})

it('gives the texts of a tiny model one thread', () => {
  expect(lanesOf({ ...manifest, files: [] }, {}, 2).map(({ threads }) => threads)).toEqual([1, 2])
})

it('makes no lane without work', () => {
  expect(lanesOf({ ...manifest, modalities: ['text'], heads: [] }, {}, 2).map(({ name }) => name)).toEqual(['words'])
  expect(lanesOf({ ...manifest, modalities: [] }, {}, 2).map(({ kinds }) => kinds)).toEqual([['head']])
})

it('says for the log how work is shared out', () => {
  expect(describeLanes(lanesOf(manifest, { workers: 2 }, 2))).toBe(
    'words (text): 1 worker of 1 thread; media (image, audio, head): 2 workers of 1 thread',
  )
})
