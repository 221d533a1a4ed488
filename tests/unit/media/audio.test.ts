import { describe, expect, test, vi } from 'vitest'
import { decodeAudio } from '../../../src/media/audio.ts'
import { readAudioInfo } from '../../../src/media/audio-info.ts'
import { moovFirst } from '../../../src/media/mp4.ts'
import { TONE_FORMATS, type ToneFormat, tone } from './tones.ts'
import { writeWav } from './wav-writer.ts'

// The codecs complain of damage on the console as well; the worker silences them likewise.
vi.spyOn(console, 'error').mockImplementation(() => {})
vi.spyOn(console, 'warn').mockImplementation(() => {})

const channelsOf = async (wav: Uint8Array) => (await decodeAudio(wav)).channels.map((samples) => [...samples])

describe('decodeAudio of WAV', () => {
  test.each([
    [8, 0x80],
    [16, 0x8000],
    [24, 0x800000],
    [32, 0x80000000],
  ] as const)('divides integers of %i bits by 2^(bits-1), whatever their sign', async (bits, scale) => {
    const integers = [-scale, -scale / 2, -1, 0, 1, scale - 1]
    expect(await channelsOf(writeWav(integers, { bits }))).toEqual([integers.map((v) => Math.fround(v / scale))])
  })

  test('reads float samples as they are, also beyond full scale', async () => {
    expect(await channelsOf(writeWav([0.25, -1.5], { bits: 32, isFloat: true }))).toEqual([[0.25, -1.5]])
  })

  test('reads the real format of an extensible header', async () => {
    const wav = writeWav([0.5], { bits: 32, isFloat: true, isExtensible: true })
    expect(await channelsOf(wav)).toEqual([[0.5]])
  })

  test('gives each channel, or their mean when asked to mix down', async () => {
    const stereo = writeWav([16_384, 0, -16_384, -8_192], { channels: 2 })
    expect(await channelsOf(stereo)).toEqual([
      [0.5, -0.5],
      [0, -0.25],
    ])
    const mixed = await decodeAudio(stereo, { mixDown: true })
    expect(mixed).toMatchObject({ sourceChannels: 2, sampleRateHz: 16_000 })
    expect(mixed.channels.map((samples) => [...samples])).toEqual([[0.25, -0.375]])
  })

  test('refuses a file of no samples', async () => {
    await expect(decodeAudio(writeWav([]))).rejects.toMatchObject({ code: 'undecodable-media' })
  })

  test('refuses a file that holds less than it declares', async () => {
    const cut = writeWav([1, 2, 3, 4]).subarray(0, -2)
    await expect(decodeAudio(cut)).rejects.toThrow(/cut off: 8 bytes of sound are declared, 6 are there/)
  })

  test('refuses samples that are not finite', async () => {
    const wav = writeWav([0, Number.NaN], { bits: 32, isFloat: true })
    await expect(decodeAudio(wav)).rejects.toThrow(/not finite/)
  })

  test.each([0, 1, 2_000_000_000])('refuses a forged rate of %i Hz', async (sampleRateHz) => {
    await expect(decodeAudio(writeWav([1, 2], { sampleRateHz }))).rejects.toMatchObject({ code: 'undecodable-media' })
  })

  test('refuses what lasts longer than the limit by its header', async () => {
    const wav = writeWav(new Array(16_000).fill(0))
    await expect(decodeAudio(wav, { maxSeconds: 0.5 })).rejects.toMatchObject({ code: 'media-too-large' })
    await expect(decodeAudio(wav, { maxSeconds: 1 })).resolves.toMatchObject({ durationMs: 1_000 })
  })
})

describe('decodeAudio of coded sounds', () => {
  test.each(TONE_FORMATS)('hears the tone of 440 Hz in %s', async (format) => {
    const { sampleRateHz, channels, durationMs } = await decodeAudio(tone(format), { mixDown: true })
    expect(channels).toHaveLength(1)
    expect(durationMs).toBeGreaterThan(45)
    const samples = channels[0]!
    const middle = samples.subarray(samples.length * 0.3, samples.length * 0.8)
    const crossings = middle.filter((x, i) => i > 0 && middle[i - 1]! < 0 && x >= 0).length
    expect((crossings * sampleRateHz) / middle.length / 440).toBeCloseTo(1, 0.5)
  })

  test('refuses by what it decodes where no header tells the length', async () => {
    await expect(decodeAudio(tone('mp3'), { maxSeconds: 0.1 })).rejects.toMatchObject({ code: 'media-too-large' })
  })

  test.each(['flac', 'aiff', 'm4a'] as const)('refuses a %s file that was cut', async (format) => {
    const whole = tone(format)
    for (const part of [0.3, 0.6, 0.95]) {
      const cut = whole.subarray(0, whole.length * part)
      await expect(decodeAudio(cut)).rejects.toMatchObject({
        code: expect.stringMatching(/^un(decodable|supported)-media/),
      })
    }
  })

  test('fails in a sentence, and quickly, whatever damage is done to a file', async () => {
    for (const format of TONE_FORMATS) for (let seed = 1; seed <= 12; seed++) await outcomeOf(damaged(format, seed))
  })

  test('reads what headers claim without decoding', () => {
    expect(readAudioInfo(tone('flac'), 'flac')).toEqual({ sampleRateHz: 8_000, channels: 1, bits: 24, frames: 2_000 })
    expect(readAudioInfo(tone('ogg'), 'ogg')).toMatchObject({ sampleRateHz: 8_000, channels: 1 })
    expect(readAudioInfo(tone('opus'), 'opus')).toMatchObject({ sampleRateHz: 48_000, channels: 1 })
    expect(readAudioInfo(tone('m4a'), 'm4a').seconds).toBeCloseTo(0.25, 2)
  })

  test('moves the tables of an MP4 to the front without changing the sound', async () => {
    const atEnd = tone('m4a')
    const { bytes, moovEnd } = moovFirst(atEnd)!
    expect(bytes).toHaveLength(atEnd.length)
    expect(moovEnd).toBeLessThan(atEnd.length)
    expect((await decodeAudio(bytes)).channels).toEqual((await decodeAudio(atEnd)).channels)
  })
})

/** Bytes changed here and there, mostly in the header. */
function damaged(format: ToneFormat, seed: number): Uint8Array {
  const bytes = tone(format)
  let state = seed
  const random = (below: number): number => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31
    return Math.floor((state / 2 ** 31) * below)
  }
  for (let i = 0; i < seed; i++) bytes[random(seed % 2 ? bytes.length : 200)] = random(256)
  return bytes
}

async function outcomeOf(bytes: Uint8Array): Promise<void> {
  const start = performance.now()
  await decodeAudio(bytes).catch((error) => {
    expect(error).toMatchObject({ name: 'DomainError', code: expect.stringMatching(/-media|media-/) })
    expect(error.message).toMatch(/^The .*\.$/s)
  })
  expect(performance.now() - start).toBeLessThan(2_000)
}
