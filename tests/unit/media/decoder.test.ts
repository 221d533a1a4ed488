import { afterAll, describe, expect, test } from 'vitest'
import { type DecodedAudio, MediaDecoder } from '../../../src/media/decoder.ts'
import { png } from './png-writer.ts'
import { tone } from './tones.ts'
import { writeWav } from './wav-writer.ts'

const decoder = new MediaDecoder({ maxQueue: 2 })
afterAll(() => decoder.close())

/** `seconds` of silence at 48 kHz in stereo: takes some tens of milliseconds a second to read. */
const silence = (seconds: number): Uint8Array => {
  const wav = writeWav([0, 0], { sampleRateHz: 48_000, channels: 2 })
  const file = new Uint8Array(44 + seconds * 192_000)
  file.set(wav)
  new DataView(file.buffer).setUint32(40, seconds * 192_000, true)
  return file
}

describe('MediaDecoder', () => {
  test('decodes pictures and sounds alike, by their bytes', async () => {
    expect(await decoder.decode(png(2, 1, 0, [1, 2]))).toMatchObject({ modality: 'image', width: 2, height: 1 })
    const sound = (await decoder.decode(tone('flac'))) as DecodedAudio
    expect(sound).toMatchObject({ modality: 'audio', format: 'flac', sampleRateHz: 8_000, durationMs: 250 })
    expect(sound.channels[0]).toHaveLength(2_000)
  })

  test('leaves the bytes with the caller', async () => {
    const bytes = writeWav([1, 2, 3])
    await decoder.decode(bytes)
    expect(bytes).toHaveLength(50)
  })

  test('refuses an empty file, text and a damaged sound, each with its code', async () => {
    await expect(decoder.decode(new Uint8Array())).rejects.toMatchObject({ code: 'undecodable-media' })
    const text = new Uint8Array(Buffer.from('a picture, says its name'))
    await expect(decoder.decode(text)).rejects.toMatchObject({ code: 'unsupported-media-type' })
    await expect(decoder.decode(writeWav([]))).rejects.toMatchObject({ code: 'undecodable-media' })
  })

  test('keeps this thread free while it decodes', async () => {
    let longestMs = 0
    let last = performance.now()
    const timer = setInterval(() => {
      longestMs = Math.max(longestMs, performance.now() - last)
      last = performance.now()
    }, 1)
    const bytes = silence(120)
    last = performance.now()
    const started = performance.now()
    await decoder.decode(bytes)
    const tookMs = performance.now() - started
    clearInterval(timer)
    expect(longestMs).toBeLessThan(Math.max(tookMs / 2, 50))
  })

  test('is called off by its signal', async () => {
    const controller = new AbortController()
    const done = decoder.decode(silence(60), undefined, controller.signal)
    controller.abort()
    await expect(done).rejects.toMatchObject({ code: 'deadline-exceeded' })
  })

  test('refuses what its queue cannot hold, and tells when to come back', async () => {
    const bytes = silence(5)
    const results = await Promise.allSettled(Array.from({ length: 6 }, () => decoder.decode(bytes)))
    const refused = results.filter((result) => result.status === 'rejected')
    expect(refused.length).toBeGreaterThan(0)
    for (const { reason } of refused) expect(reason).toMatchObject({ code: 'overloaded', retryAfterS: 1 })
  })

  test('gives up on a sound that takes too long, and works on', async () => {
    const impatient = new MediaDecoder({ timeoutMs: 1 })
    await expect(impatient.decode(silence(60))).rejects.toMatchObject({ code: 'undecodable-media' })
    await impatient.close()
    await expect(decoder.decode(writeWav([1]))).resolves.toMatchObject({ modality: 'audio' })
  })
})
