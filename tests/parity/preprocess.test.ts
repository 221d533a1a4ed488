/** Decoding and preprocessing against the golden data of the reference implementation (spec §10 to §12, §15). */
import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readNpy } from '../../src/eval/npy.ts'
import { decodeAudio } from '../../src/media/audio.ts'
import { decodeImage } from '../../src/media/image.ts'
import { cleanCaption, Tokenizer } from '../../src/preprocess/tokenizer.ts'
import { referenceWaveform, toMono16k } from '../../src/preprocess/waveform.ts'
import { referenceDir } from '../reference.ts'

interface Golden {
  file: string
}
interface MediaCase {
  kind: 'image' | 'audio'
  file: string
  outputs: { decoded_rgb?: Golden; wav16k?: Golden; feats?: Golden }
}
interface ModelCase {
  name: string
  kind: string
  texts?: string[]
  inputs: { src_tokens?: Golden }
}
interface TokenizerCase {
  text: string
  hub_ids: number[]
  gpt2_ids_of_space_plus_lower: number[]
  dataset_clean: string
  dataset_ids: number[]
  grounding_dataset_ids: number[]
  aqa_style_ids_no_lowercase: number[]
}

const setA = join(referenceDir ?? '', 'setA')
const manifest: { media: MediaCase[]; cases: ModelCase[] } = referenceDir
  ? JSON.parse(readFileSync(join(setA, 'manifest.json'), 'utf8'))
  : { media: [], cases: [] }
const ofKind = (kind: string) =>
  manifest.media.filter((media) => media.kind === kind).map((media) => [media.file, media.outputs] as const)
const numbers = async (golden: Golden) => Array.from((await readNpy(join(setA, golden.file))).data, Number)
const bytesOf = (file: string) => new Uint8Array(readFileSync(join(setA, file)))

function largestDifference(got: ArrayLike<number>, want: ArrayLike<number>, from = 0): number {
  let largest = 0
  for (let i = from; i < want.length; i++) largest = Math.max(largest, Math.abs(got[i]! - want[i]!))
  return largest
}

describe.skipIf(!referenceDir)('pictures', () => {
  test.each(ofKind('image'))('%s: pixels equal to Pillow, JPEG included', async (file, outputs) => {
    const { width, height, data } = await decodeImage(bytesOf(file), { orient: false })
    const golden = await readNpy(join(setA, outputs.decoded_rgb!.file))
    expect([height, width, 3]).toEqual(golden.shape)
    expect(largestDifference(data, golden.data as Uint8Array)).toBe(0)
  })
})

/** soxr drops what its first filter rings before the clip where it composes two (see `resample.ts`). */
const EDGE_SAMPLES = 3

describe.skipIf(!referenceDir)('sounds', () => {
  test.each(ofKind('audio'))(
    '%s: 16 kHz samples and model input as librosa and the hub give',
    async (file, outputs) => {
      const sound = await decodeAudio(bytesOf(file))
      const wav16k = await numbers(outputs.wav16k!)
      const feats = await numbers(outputs.feats!)
      const mono = toMono16k(sound)
      const input = referenceWaveform(sound)
      expect([mono.length, input.length]).toEqual([wav16k.length, feats.length])
      const isDirect = [8_000, 16_000, 48_000].includes(sound.sampleRateHz)
      if (sound.sampleRateHz === 16_000) expect(largestDifference(mono, wav16k)).toBe(0)
      else expect(largestDifference(mono, wav16k, EDGE_SAMPLES)).toBeLessThan(isDirect ? 1e-6 : 1e-5)
      expect(largestDifference(mono, wav16k)).toBeLessThan(4e-3)
      // Normalising divides by the standard deviation, here about 0.1.
      expect(largestDifference(input, feats, EDGE_SAMPLES)).toBeLessThan(isDirect ? 1e-5 : 1e-4)
    },
  )
})

describe.skipIf(!referenceDir)('texts', () => {
  let folder = ''
  /** With a dictionary in which row 4 + i is GPT-2 id i. */
  let plain: Tokenizer
  /** With the reduced dictionary of the golden checkpoints. */
  let reduced: Tokenizer
  const bpe = (file: string) => join(setA, 'bpe', file)
  const cases: TokenizerCase[] = referenceDir
    ? JSON.parse(readFileSync(join(referenceDir, 'units/tokenizer.json'), 'utf8')).strings
    : []

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'parity-'))
    const everyId = join(folder, 'dict.txt')
    await writeFile(everyId, Array.from({ length: 50_257 }, (_, id) => `${id} 1\n`).join(''))
    const files = { encoder: bpe('encoder.json'), merges: bpe('vocab.bpe') }
    plain = await Tokenizer.load({ ...files, dictionary: everyId })
    reduced = await Tokenizer.load({ ...files, dictionary: bpe('dict.txt') })
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  test('all strings give the GPT-2 ids of the reference', () => {
    for (const { text, gpt2_ids_of_space_plus_lower: want } of cases) {
      const got = plain.encode(text).tokenIds.map((id) => id - 4)
      expect(got.slice(0, -1), JSON.stringify(text)).toEqual(want.slice(0, 70))
    }
    expect(cases).toHaveLength(42)
  })

  test('all strings are cleaned as by the data sets', () => {
    expect(cases.map(({ text }) => cleanCaption(text))).toEqual(cases.map((golden) => golden.dataset_clean))
  })

  test('in all four styles the ids match under one renumbering, that of the full dictionary', () => {
    const styles: [keyof TokenizerCase, (text: string) => number[]][] = [
      ['hub_ids', (text) => plain.encode(text).tokenIds],
      ['dataset_ids', (text) => plain.encodeDataset(text).tokenIds],
      ['grounding_dataset_ids', (text) => plain.encodeGrounding(text).tokenIds],
      ['aqa_style_ids_no_lowercase', (text) => plain.encodeAll(` ${text}`)],
    ]
    const forth = new Map<number, number>()
    const back = new Map<number, number>()
    for (const golden of cases) {
      for (const [style, encode] of styles) {
        const got = encode(golden.text)
        const want = golden[style] as number[]
        for (const [i, id] of got.entries()) {
          if (!forth.has(id)) forth.set(id, want[i]!)
          if (!back.has(want[i]!)) back.set(want[i]!, id)
        }
        const message = `${style} of ${JSON.stringify(golden.text)}`
        expect(
          got.map((id) => forth.get(id)),
          message,
        ).toEqual(want)
        expect(
          want.map((id) => back.get(id)),
          message,
        ).toEqual(got)
      }
    }
    expect(forth.get(4 + 13)).toBe(4)
    expect(forth.get(2)).toBe(2)
  })

  const withTokens = manifest.cases.filter(({ texts, inputs }) => texts && inputs?.src_tokens)
  test.each(withTokens.map((golden) => [golden.name, golden] as const))('%s: src_tokens', async (name, golden) => {
    const rows = golden.texts!.map((text) => {
      if (golden.kind === 'aqa' || name === 'trace_al') return reduced.encodeAll(text)
      if (['grounding', 'vqa', 'nlvr2'].includes(golden.kind)) return reduced.encodeDataset(text).tokenIds
      return reduced.encode(text).tokenIds
    })
    // A trace keeps the padding of the batch that it was taken from.
    const width = (await readNpy(join(setA, golden.inputs.src_tokens!.file))).shape[1]!
    const padded = rows.flatMap((row) => [...row, ...new Array(width - row.length).fill(1)])
    expect(padded).toEqual(await numbers(golden.inputs.src_tokens!))
  })
})
