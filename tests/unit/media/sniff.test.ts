import { describe, expect, test } from 'vitest'
import { sniffMedia } from '../../../src/media/sniff.ts'
import { TONE_FORMATS, tone } from './tones.ts'
import { writeWav } from './wav-writer.ts'

const ascii = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'))

describe('sniffMedia', () => {
  test.each(TONE_FORMATS)('knows %s by its bytes', (format) => {
    expect(sniffMedia(tone(format))).toMatchObject({ modality: 'audio', format })
  })

  test('knows WAV by its bytes', () => {
    expect(sniffMedia(writeWav([0, 1]))).toEqual({ modality: 'audio', format: 'wav', mimeType: 'audio/wav' })
  })

  test('knows an MP3 behind an ID3 tag', () => {
    const tag = ascii('ID3\x04\x00\x00\x00\x00\x00\x05hello')
    expect(sniffMedia(new Uint8Array([...tag, ...tone('mp3')]))).toMatchObject({ format: 'mp3' })
  })

  test.each([
    ['plain text', 'Hello, this is a picture. Honest.'],
    ['SVG', '<svg xmlns="http://www.w3.org/2000/svg"></svg>'],
    ['HTML', '<!doctype html><title>x</title>'],
    ['PDF', '%PDF-1.7\n'],
    ['a ZIP archive', 'PK\x03\x04abc'],
    ['HEIC, which cannot be decoded here', '\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic'],
    ['nothing', ''],
    ['one byte of an MP3', '\xff'],
    ['half an Ogg page', 'OggS\x00\x02'],
  ])('does not know %s', (_, text) => {
    expect(sniffMedia(ascii(text))).toBeUndefined()
  })

  test('takes random bytes for nothing', () => {
    let state = 1
    const random = Uint8Array.from({ length: 4_096 }, () => {
      state = (state * 1_103_515_245 + 12_345) % 2 ** 31
      return state >> 16
    })
    for (let start = 0; start < 4_000; start++) expect(sniffMedia(random.subarray(start))).toBeUndefined()
  })
})
