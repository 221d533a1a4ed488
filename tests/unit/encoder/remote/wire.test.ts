import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { EncoderInput, HeadInputs } from '../../../../src/encoder/encoder.ts'
import { WireFormatError } from '../../../../src/encoder/remote/frame.ts'
import {
  decodeAnswer,
  decodeRequest,
  encodeAnswer,
  encodeRequest,
  type Result,
} from '../../../../src/encoder/remote/wire.ts'
import { DomainError } from '../../../../src/errors.ts'

const text = fc
  .array(fc.integer({ min: 0, max: 60_000 }), { maxLength: 71 })
  .map((tokenIds): EncoderInput => ({ modality: 'text', tokenIds }))
const image = fc
  .tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 }), fc.integer({ min: 0, max: 255 }))
  .map(([width, height, shade]): EncoderInput => {
    const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => (shade * i) % 256)
    return { modality: 'image', width, height, data }
  })
const audio = fc.float32Array({ maxLength: 50 }).map((waveform): EncoderInput => ({ modality: 'audio', waveform }))
const inputs = fc.record({ text, image, image2: image, audio }, { requiredKeys: [] }) as fc.Arbitrary<HeadInputs>
const sample = fc.record({ inputs, timeoutMs: fc.nat() }, { requiredKeys: ['inputs'] })
const request = fc.record(
  { model: fc.string(), head: fc.string(), samples: fc.array(sample, { maxLength: 5 }) },
  { requiredKeys: ['model', 'samples'] },
)

const numbers = fc.float32Array({ minLength: 1, maxLength: 20 })
const result: fc.Arbitrary<Result> = fc.oneof(
  numbers,
  fc.tuple(numbers, fc.option(numbers, { nil: undefined })).map(([logits, boxes]) => ({
    logits,
    dims: [logits.length],
    ...(boxes && { boxes }),
  })),
)

it('gives the other side the very bits of every request', () => {
  fc.assert(fc.property(request, (given) => void expect(decodeRequest(encodeRequest(given))).toEqual(given)))
})

it('gives back the very bits of every answer, wherever its bytes lie in memory', () => {
  fc.assert(
    fc.property(fc.array(result), fc.nat(7), (values, shift) => {
      const outcomes = values.map((value) => ({ status: 'fulfilled' as const, value }))
      const sent = encodeAnswer(outcomes)
      const arrived = new Uint8Array(sent.length + shift).subarray(shift)
      arrived.set(sent)
      expect(decodeAnswer(arrived, values.length)).toEqual(outcomes)
    }),
  )
})

it('carries an error with its code and advice, and a defect with its message alone', () => {
  const overloaded = new DomainError('overloaded', 'Later.', { retryAfterS: 7 })
  const rejected = (reason: unknown) => ({ status: 'rejected' as const, reason })
  const [first, second] = decodeAnswer(encodeAnswer([rejected(overloaded), rejected(new TypeError('Odd.'))]), 2)
  expect(first).toMatchObject({
    reason: { name: 'DomainError', code: 'overloaded', message: 'Later.', retryAfterS: 7 },
  })
  expect(second).toMatchObject({ reason: { name: 'Error', message: expect.stringContaining('Odd.') } })
})

it('refuses a frame that was cut, lengthened or altered in its header, and never reads beyond it', () => {
  const frame = encodeRequest({
    model: 'm',
    samples: [{ inputs: { audio: { modality: 'audio', waveform: new Float32Array(5) } }, timeoutMs: 5 }],
  })
  for (let length = 0; length < frame.length; length++) {
    expect(() => decodeRequest(frame.subarray(0, length))).toThrow(WireFormatError)
  }
  expect(() => decodeRequest(Buffer.concat([frame, Buffer.alloc(8)]))).toThrow('longer')
  const altered = (from: string, to: string) => Buffer.from(frame.toString('latin1').replace(from, to), 'latin1')
  for (const wrong of [
    altered('"samples":5', '"samples":9'),
    altered('"samples":5', '"samples":-'),
    altered('"audio"', '"voice"'),
    altered('"model":"m"', '"model":123'),
    altered('OPE1', 'OPE2'),
    altered('"timeoutMs":5', '"timeoutMs":x'),
  ]) {
    expect(() => decodeRequest(wrong)).toThrow(WireFormatError)
  }
})

it('survives any bytes: it refuses them or reads them, and throws nothing else', () => {
  fc.assert(
    fc.property(fc.json(), fc.uint8Array({ maxLength: 40 }), (json, rest) => {
      const header = Buffer.from(json.padEnd(Math.ceil(Buffer.byteLength(json) / 8) * 8 + json.length))
      const length = Buffer.alloc(4)
      length.writeUInt32LE(header.length - (header.length % 8))
      const bytes = Buffer.concat([Buffer.from('OPE1'), length, header, rest])
      for (const read of [() => decodeRequest(bytes), () => decodeAnswer(bytes, 1)]) {
        try {
          read()
        } catch (error) {
          expect(error).toBeInstanceOf(WireFormatError)
        }
      }
    }),
  )
})
