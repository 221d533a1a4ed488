/** How many decoded pictures are held at once. */
import { expect, it } from 'vitest'
import type { Encoder } from '../../../src/encoder/encoder.ts'
import { type Content, ContentEncoder } from '../../../src/services/content.ts'
import { DEFAULT_LIMITS } from '../../../src/services/limits.ts'

/** Most pictures that were with the encoder at once, of 100 given, each `bytes` large when decoded. */
async function mostAtOnce(bytes: number): Promise<number> {
  let [now, most] = [0, 0]
  const encode = async () => {
    most = Math.max(most, ++now)
    await new Promise((resolve) => setTimeout(resolve, 5))
    now--
    return new Float32Array([1, 0])
  }
  const data = new Uint8Array(bytes)
  const content = new ContentEncoder({
    encoder: { embedDim: 2, modalities: ['image'], heads: [], encode } as unknown as Encoder,
    tokenizer: undefined,
    sniff: () => ({ modality: 'image', format: 'png', mimeType: 'image/png' }),
    media: {
      decode: async () => ({ modality: 'image', format: 'png', width: 1, height: 1, data }),
      thumbnail: async () => Buffer.alloc(0),
    },
    audio: { prepare: async () => [] },
    limits: DEFAULT_LIMITS,
  })
  const picture: Content = [{ kind: 'media', bytes: new Uint8Array(1), weight: 1 }]
  await Promise.all([content.encodeAll(new Array(50).fill(picture)), content.encodeAll(new Array(50).fill(picture))])
  return most
}

it('holds many small decoded pictures at once, so that batches fill, and few large ones', async () => {
  expect(await mostAtOnce(1000)).toBe(64)
  expect(await mostAtOnce(5_000_000)).toBe(4)
})
