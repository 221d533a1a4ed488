import { afterAll, describe, expect, test } from 'vitest'
import { AudioPreparer } from '../../../src/preprocess/preparer.ts'
import { resampleTo16k } from '../../../src/preprocess/resample.ts'
import { prepareAudio, referenceWaveform, toMono16k } from '../../../src/preprocess/waveform.ts'

const sine = (hz: number, sampleRateHz: number, length: number): Float32Array =>
  Float32Array.from({ length }, (_, i) => Math.sin((2 * Math.PI * hz * i) / sampleRateHz))

/** Sawtooth-like noise without a random generator. */
const noise = (length: number): Float32Array =>
  Float32Array.from({ length }, (_, i) => ((i * 7_919) % 1_009) / 1_009 - 0.4)

const peak = (samples: Float32Array): number => samples.reduce((max, x) => Math.max(max, Math.abs(x)), 0)

describe('resampleTo16k', () => {
  test.each([8_000, 11_025, 22_050, 44_100, 47_999, 48_000, 96_000])(
    'keeps a tone in the pass band, from %i Hz',
    (rate) => {
      const hz = 0.4 * Math.min(rate, 16_000)
      const out = resampleTo16k(sine(hz, rate, rate), rate)
      const want = sine(hz, 16_000, 16_000)
      const middle = out.map((x, i) => x - want[i]!).subarray(2_000, 14_000)
      // librosa's own arithmetic, which at odd rates is one sample off the whole number.
      expect(out).toHaveLength(Math.ceil(rate * (16_000 / rate)))
      expect(peak(middle)).toBeLessThan(2e-5)
    },
  )

  test.each([22_050, 44_100, 48_000])('removes what lies beyond 8 kHz, from %i Hz', (rate) => {
    const out = resampleTo16k(sine(8_400, rate, rate), rate)
    expect(peak(out.subarray(2_000, 14_000))).toBeLessThan(2e-6)
  })

  test('gives as many samples as librosa: the ceiling, filled with zero past what soxr gives', () => {
    expect(resampleTo16k(noise(74_971), 44_100)).toHaveLength(27_201)
    expect(resampleTo16k(noise(74_971), 44_100).at(-1)).toBe(0)
    expect(resampleTo16k(noise(1), 48_000)).toHaveLength(1)
  })

  test('leaves 16 kHz as it is, in an array of its own', () => {
    const samples = noise(100)
    const out = resampleTo16k(samples, 16_000)
    expect(out).toEqual(samples)
    expect(out).not.toBe(samples)
  })

  test.each([0, -1, 1.5, Number.NaN])('refuses a rate of %d Hz', (rate) => {
    expect(() => resampleTo16k(noise(10), rate)).toThrow(RangeError)
  })
})

describe('prepareAudio', () => {
  const at16k = (...channels: Float32Array[]) => ({ sampleRateHz: 16_000, channels })

  test('takes the mean of the channels', () => {
    expect([...toMono16k(at16k(Float32Array.of(1, 0), Float32Array.of(0, -1)))]).toEqual([0.5, -0.5])
  })

  test('gives zero mean and unit variance', () => {
    const { waveform } = prepareAudio(at16k(noise(32_000)))[0]!
    const mean = waveform.reduce((sum, x) => sum + x, 0) / waveform.length
    const variance = waveform.reduce((sum, x) => sum + (x - mean) ** 2, 0) / waveform.length
    expect(mean).toBeCloseTo(0, 6)
    expect(variance).toBeCloseTo(1, 3)
  })

  test('turns silence into zeros, not into a division by zero', () => {
    expect(peak(prepareAudio(at16k(new Float32Array(16_000)))[0]!.waveform)).toBe(0)
  })

  test('tiles a short clip to one second, and still says how long it is', () => {
    const [window] = prepareAudio(at16k(noise(6_400)))
    expect(window!.waveform).toHaveLength(16_000)
    expect(window!.waveform[6_400 + 5]).toBe(window!.waveform[5])
    expect(window).toMatchObject({ startMs: 0, endMs: 400 })
  })

  test.each([
    [15, [[0, 15_000]]],
    [
      16,
      [
        [0, 15_000],
        [1_000, 16_000],
      ],
    ],
    [
      22.5,
      [
        [0, 15_000],
        [7_500, 22_500],
      ],
    ],
    [
      40,
      [
        [0, 15_000],
        [7_500, 22_500],
        [15_000, 30_000],
        [22_500, 37_500],
        [25_000, 40_000],
      ],
    ],
  ])('cuts %d s into windows of 15 s that overlap, the last flush with the end', (seconds, spans) => {
    const windows = prepareAudio(at16k(noise(seconds * 16_000)))
    expect(windows.map(({ startMs, endMs }) => [startMs, endMs])).toEqual(spans)
    expect(windows.every(({ waveform }) => waveform.length === 240_000)).toBe(true)
  })

  test('normalises the whole clip before it cuts, as the reference does', () => {
    const clip = noise(480_000).map((x, i) => (i < 240_000 ? x : 10 * x))
    const [first] = prepareAudio(at16k(clip))
    expect(referenceWaveform(at16k(clip))).toEqual(first!.waveform)
    expect(peak(first!.waveform)).toBeLessThan(0.5)
  })

  test('refuses a sound without samples', () => {
    expect(() => prepareAudio(at16k())).toThrow(RangeError)
    expect(() => prepareAudio(at16k(new Float32Array()))).toThrow(RangeError)
  })
})

describe('AudioPreparer', () => {
  const preparer = new AudioPreparer({ maxQueue: 1 })
  afterAll(() => preparer.close())

  test('gives what prepareAudio gives, from another thread', async () => {
    const sound = () => ({ sampleRateHz: 22_050, channels: [noise(30_000), noise(30_000)] })
    expect(await preparer.prepare(sound())).toEqual(prepareAudio(sound()))
  })

  test('moves samples rather than copy them, but never what they are only a part of', async () => {
    const whole = noise(20_000)
    const part = noise(20_000).subarray(0, 16_000)
    await preparer.prepare({ sampleRateHz: 16_000, channels: [whole] })
    await preparer.prepare({ sampleRateHz: 16_000, channels: [part] })
    expect([whole.length, part.length]).toEqual([0, 16_000])
  })

  test('refuses what its queue cannot hold', async () => {
    const sound = () => ({ sampleRateHz: 44_100, channels: [noise(44_100)] })
    const results = await Promise.allSettled([1, 2, 3].map(() => preparer.prepare(sound())))
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected'])
    expect(results[2]).toMatchObject({ reason: { code: 'overloaded', retryAfterS: 1 } })
  })

  test('is called off by its signal', async () => {
    const done = preparer.prepare({ sampleRateHz: 44_100, channels: [noise(441_000)] }, AbortSignal.timeout(1))
    await expect(done).rejects.toMatchObject({ code: 'deadline-exceeded' })
  })
})
