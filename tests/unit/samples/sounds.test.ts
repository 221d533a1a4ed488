import { describe, expect, it } from 'vitest'
import { readEmoji, twemojiPicture } from '../../../src/samples/artwork.ts'
import { SAMPLE_SOUND_COUNT, sampleSounds } from '../../../src/samples/sounds.ts'

describe('sample sounds', () => {
  const rendered = () => [...sampleSounds()].map(({ id, render }) => ({ id, bytes: render() }))
  const sounds = rendered()

  it('are the same every time', () => {
    expect(rendered().map(({ bytes }) => bytes.toString('base64'))).toEqual(
      sounds.map(({ bytes }) => bytes.toString('base64')),
    )
  })

  it('are each a sound of its own: loud, finite, and no two alike', () => {
    expect(sounds).toHaveLength(SAMPLE_SOUND_COUNT)
    expect(new Set(sounds.map(({ bytes }) => bytes.toString('base64'))).size).toBe(SAMPLE_SOUND_COUNT)
    for (const { id, bytes } of sounds) {
      const samples = new Int16Array(bytes.buffer.slice(bytes.byteOffset + 44, bytes.byteOffset + bytes.length))
      expect(Math.max(...samples.map(Math.abs)), id).toBeGreaterThan(20_000)
    }
  })
})

describe('sample pictures', () => {
  it('draw an emoji whatever its code points', async () => {
    const names = ['grinning face', 'red heart', 'woman astronaut']
    const emoji = (await readEmoji()).filter(({ name }) => names.includes(name))
    expect(emoji).toHaveLength(names.length)
    for (const { hexcode, name } of emoji) {
      const png = await twemojiPicture(hexcode, 64)
      expect(png?.subarray(1, 4).toString(), name).toBe('PNG')
    }
  })
})
