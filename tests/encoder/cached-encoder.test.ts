import { expect, it } from 'vitest'
import { CachedEncoder } from '../../src/encoder/cached-encoder.ts'
import type { EncoderInput } from '../../src/encoder/encoder.ts'
import type { Modality } from '../../src/modality.ts'
import { FakeEncoder } from '../api/harness.ts'

function cached(modalities: readonly Modality[] = ['text'], maxBytes = 1 << 20) {
  const inner = new FakeEncoder()
  const lookups: string[] = []
  const onLookup = (modality: string, isHit: boolean) => lookups.push(`${modality} ${isHit ? 'hit' : 'miss'}`)
  return { inner, lookups, encoder: new CachedEncoder(inner, { modalities, maxBytes, onLookup }) }
}
const text = (...tokenIds: number[]): EncoderInput => ({ modality: 'text', tokenIds })
const image = (value: number, width = 2, height = 1): EncoderInput => ({
  modality: 'image',
  width,
  height,
  data: new Uint8Array(6).fill(value),
})
const audio = (value: number): EncoderInput => ({ modality: 'audio', waveform: new Float32Array(4).fill(value) })

it('encodes the same tokens once, and answers to the bit', async () => {
  const { inner, encoder, lookups } = cached()
  const first = await encoder.encode(text(4, 5, 2))
  const second = await encoder.encode(text(4, 5, 2))
  expect(second).toEqual(await inner.encode(text(4, 5, 2)))
  expect(second).toEqual(first)
  await encoder.encode(text(45, 2))
  expect(lookups).toEqual(['text miss', 'text hit', 'text miss'])
})

it('is not changed by what a caller does to its vector', async () => {
  const { encoder } = cached()
  const first = await encoder.encode(text(4, 2))
  const kept = first.slice()
  first.fill(9)
  const second = await encoder.encode(text(4, 2))
  second.fill(8)
  expect(await encoder.encode(text(4, 2))).toEqual(kept)
})

it('remembers pictures and sounds only where asked, and tells shapes apart', async () => {
  const plain = cached()
  for (const input of [image(1), image(1), audio(1), audio(1)]) await plain.encoder.encode(input)
  expect([plain.inner.seen.length, plain.lookups]).toEqual([4, []])
  const all = cached(['text', 'image', 'audio'])
  for (const input of [image(1), image(1), image(1, 1, 2), audio(1), audio(1), audio(2)])
    await all.encoder.encode(input)
  expect(all.lookups).toEqual(['image miss', 'image hit', 'image miss', 'audio miss', 'audio hit', 'audio miss'])
})

it('forgets what was used longest ago when it is full', async () => {
  const { encoder, lookups } = cached(['text'], 700)
  for (const token of [4, 5, 4, 6, 4, 5]) await encoder.encode(text(token, 2))
  expect(lookups.map((each) => each.split(' ')[1])).toEqual(['miss', 'miss', 'hit', 'miss', 'hit', 'miss'])
})

it('remembers no failure', async () => {
  const { inner, encoder } = cached()
  inner.failure = new Error('broken')
  await expect(encoder.encode(text(4, 2))).rejects.toThrow('broken')
  inner.failure = undefined
  await encoder.encode(text(4, 2))
  expect(inner.seen).toHaveLength(2)
})
