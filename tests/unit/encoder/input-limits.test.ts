import { describe, expect, it } from 'vitest'
import type { BundleManifest } from '../../../src/bundle/manifest.ts'
import type { EncoderInput } from '../../../src/encoder/encoder.ts'
import {
  bucketOf,
  checkInput,
  costOf,
  frameCount,
  paddedTokens,
  positionsOf,
} from '../../../src/encoder/input-limits.ts'

const CONV_LAYERS = [
  [10, 5],
  [3, 2],
  [3, 2],
  [3, 2],
  [3, 2],
  [2, 2],
  [2, 2],
] as const
const manifest: BundleManifest = {
  formatVersion: 1,
  name: 'test',
  embedDim: 4,
  precision: 'fp32',
  modalities: ['text', 'image', 'audio'],
  logitScale: 1,
  text: { graph: 't', maxTokens: 70, vocabSize: 100 },
  image: { graph: 'i', preprocessGraph: 'p', sizePx: 16 },
  audio: {
    graph: 'a',
    sampleRateHz: 16_000,
    minSamples: 16_000,
    maxSamples: 240_000,
    convLayers: CONV_LAYERS.map(([kernel, stride]) => ({ kernel, stride })),
  },
  weights: 'w',
  files: [],
}
const text = (tokens: number): EncoderInput => ({ modality: 'text', tokenIds: new Array(tokens).fill(5) })
const image = (width: number, height: number, bytes = width * height * 3): EncoderInput => ({
  modality: 'image',
  width,
  height,
  data: new Uint8Array(bytes),
})
const audio = (samples: number): EncoderInput => ({ modality: 'audio', waveform: new Float32Array(samples) })

describe('inputs', () => {
  it('of the right form pass', () => {
    for (const input of [text(1), text(71), image(2, 3), audio(16_000), audio(240_000)]) checkInput(input, manifest)
  })

  it.each([
    [text(72), { code: 'input-too-long' }],
    [audio(240_001), { code: 'media-too-large' }],
    [text(0), TypeError],
    [{ modality: 'text', tokenIds: [100] } as EncoderInput, TypeError],
    [{ modality: 'text', tokenIds: [-1] } as EncoderInput, TypeError],
    [image(2, 3, 17), TypeError],
    [image(0, 3), TypeError],
    [image(1.5, 2, 9), TypeError],
    [audio(15_999), TypeError],
  ])('of a wrong form are refused (%#)', (input, expected) => {
    const check = () => checkInput(input, manifest)
    if (typeof expected === 'function') expect(check).toThrow(expected)
    else expect(check).toThrow(expect.objectContaining(expected))
  })

  it('of a modality that the bundle lacks are refused', () => {
    const { audio: _, ...rest } = manifest
    const check = () => checkInput(audio(16_000), { ...rest, modalities: ['text', 'image'] })
    expect(check).toThrow(expect.objectContaining({ code: 'unsupported-by-model' }))
  })

  it('share a bucket where padding is harmless', () => {
    expect(bucketOf(text(3), manifest)).toBe(bucketOf(text(8), manifest))
    expect(bucketOf(text(8), manifest)).not.toBe(bucketOf(text(9), manifest))
    expect(bucketOf(image(2, 3), manifest)).toBe(bucketOf(image(30, 3), manifest))
    expect(bucketOf(audio(16_000), manifest)).not.toBe(bucketOf(audio(16_001), manifest))
  })

  it('cost tokens, pixels and samples', () => {
    expect([text(3), image(20, 30), audio(16_000)].map((input) => costOf(input, manifest))).toEqual([8, 600, 16_000])
    expect([1, 8, 9, 65, 71].map((tokens) => paddedTokens(tokens, manifest.text!))).toEqual([8, 8, 16, 71, 71])
  })
})

it('work is counted in positions of the layers: padded tokens, patches, frames', () => {
  const side = Math.floor(manifest.image!.sizePx / 16)
  const inputs = [text(3), image(20, 30), image(2000, 10), audio(16_000)]
  expect(inputs.map((input) => positionsOf(input, manifest))).toEqual([8, side ** 2 + 1, side ** 2 + 1, 50])
})

it('frames are counted as spec §7 does', () => {
  const frames = [16_000, 80_000, 160_000, 240_000].map((samples) => frameCount(samples, manifest.audio!))
  expect(frames).toEqual([49, 249, 499, 749])
})
