/** The committed bundle through real session workers (built by `npm test`); `ONEPEACE_BUNDLE` names another bundle. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { BundleManifest } from '../../src/bundle/manifest.ts'
import type { AudioInput, Encoder, EncoderInput, TextInput } from '../../src/encoder/encoder.ts'
import { openLocalEncoder } from '../../src/encoder/local-encoder.ts'
import { runGraph } from '../../src/encoder/onnx-session.ts'
import { SessionHost } from '../../src/encoder/session-host.ts'

const dir = process.env.ONEPEACE_BUNDLE ?? fileURLToPath(new URL('../../models/onepeace-nano', import.meta.url))
const present = existsSync(join(dir, 'manifest.json'))
if (!present) console.warn(`SKIPPED: no bundle at ${dir}; run \`onepeace convert\` or set ONEPEACE_BUNDLE.`)
const manifest: BundleManifest = present ? JSON.parse(readFileSync(join(dir, 'manifest.json'), 'utf8')) : undefined

/** Greatest difference of a component; a larger matrix product adds in another order, measured at some 1e-7. */
const TOLERANCE = 1e-5

/** Deterministic numbers in [0, 1) (Park and Miller's minimal generator). */
function random(seed: number): () => number {
  let state = seed + 1
  return () => {
    state = (state * 48271) % 0x7fffffff
    return state / 0x7fffffff
  }
}

function text(seed: number, tokens: number): TextInput {
  const next = random(seed)
  const ids = Array.from({ length: tokens - 1 }, () => 4 + Math.floor(next() * 900))
  return { modality: 'text', tokenIds: [...ids, 2] }
}

function image(seed: number, width: number, height: number): EncoderInput {
  const next = random(seed)
  const data = Uint8Array.from({ length: width * height * 3 }, () => Math.floor(next() * 256))
  return { modality: 'image', width, height, data }
}

function audio(seed: number, samples: number): AudioInput {
  const next = random(seed)
  return { modality: 'audio', waveform: Float32Array.from({ length: samples }, () => next() * 4 - 2) }
}

/** Made anew for each use, as encoding takes the buffers away. */
const MAKERS: Record<string, (() => EncoderInput)[]> = {
  text: [3, 8, 11, 40, 71, 5, 2, 66].map((tokens, seed) => () => text(seed, tokens)),
  image: [
    [100, 75],
    [20, 30],
    [64, 64],
    [333, 51],
    [1, 1],
  ].map(
    ([width, height], seed) =>
      () =>
        image(seed, width!, height!),
  ),
  audio: [16_000, 16_000, 37_777, 16_320, 37_777, 16_001].map((samples, seed) => () => audio(seed, samples)),
}

const length = (vector: Float32Array) => Math.hypot(...vector)
const difference = (a: Float32Array, b: Float32Array) => Math.max(...a.map((value, i) => Math.abs(value - b[i]!)))

const folder = mkdtempSync(join(tmpdir(), 'onepeace-encoder-'))
afterAll(() => rmSync(folder, { recursive: true }))

describe.skipIf(!present)('the local encoder', () => {
  let encoder: Encoder
  beforeAll(async () => {
    // A long wait, so that what is asked together shares batches.
    encoder = openLocalEncoder(dir, manifest, { maxWaitMs: 50 })
    await encoder.ready()
  })
  afterAll(() => encoder.close())

  it.each(Object.keys(MAKERS))('gives %s the same embedding alone and batched', async (modality) => {
    const makers = MAKERS[modality]!
    const alone: Float32Array[] = []
    for (const make of makers) alone.push(await encoder.encode(make()))
    const together = await Promise.all(makers.map((make) => encoder.encode(make())))
    together.forEach((embedding, i) => {
      expect(embedding).toHaveLength(manifest.embedDim)
      expect(length(embedding)).toBeCloseTo(1, 5)
      expect(difference(embedding, alone[i]!)).toBeLessThanOrEqual(TOLERANCE)
    })
    expect(difference(alone[0]!, alone[2]!)).toBeGreaterThan(1e-3)
  })

  it('gives the same embedding whatever the padding of a text', async () => {
    const { tokenIds } = text(1, 5)
    const ids = BigInt64Array.from([...tokenIds, ...new Array(20).fill(1)].map(BigInt))
    const inputs = { src_tokens: { dtype: 'int64' as const, dims: [1, ids.length], data: ids } }
    const { embedding } = await runGraph(join(dir, manifest.text!.graph), inputs, ['embedding'])
    expect(embedding!.dims).toEqual([1, manifest.embedDim])
    const alone = await encoder.encode({ modality: 'text', tokenIds })
    expect(difference(alone, embedding!.data as Float32Array)).toBeLessThanOrEqual(TOLERANCE)
  })

  it('fails one bad input alone', async () => {
    const bad = audio(0, 16_000)
    bad.waveform[5] = Number.NaN
    const results = await Promise.allSettled(
      [audio(1, 16_000), bad, audio(2, 16_000)].map((one) => encoder.encode(one)),
    )
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  })

  it('finishes what it accepted when it closes', async () => {
    const closing = openLocalEncoder(dir, manifest, { maxWaitMs: 60_000, threads: 1 })
    const accepted = MAKERS.text!.map((make) => closing.encode(make()))
    await closing.close()
    expect((await Promise.allSettled(accepted)).every(({ status }) => status === 'fulfilled')).toBe(true)
    await expect(closing.encode(text(1, 3))).rejects.toMatchObject({ code: 'encoder-unavailable' })
  })

  it('recovers when its worker dies', async () => {
    const mortal = join(folder, 'mortal.mjs')
    const worker = new URL('../../dist/encoder/session-worker.js', import.meta.url)
    writeFileSync(
      mortal,
      `import { parentPort } from 'node:worker_threads'
       await import(${JSON.stringify(worker.href)})
       parentPort.on('message', ({ inputs }) => inputs[0]?.tokenIds?.[0] === 3 && process.exit(1))`,
    )
    const host = new SessionHost({ bundleDir: dir, manifest, sessionOptions: {} }, mortal)
    const fragile = openLocalEncoder(dir, manifest, { hosts: [host] })
    const before = await fragile.encode(text(1, 5))
    const deadly: EncoderInput = { modality: 'text', tokenIds: [3, 2] }
    await expect(fragile.encode(deadly)).rejects.toMatchObject({ code: 'encoder-unavailable' })
    expect(await fragile.encode(text(1, 5))).toEqual(before)
    await fragile.close()
  })

  it('opens a branch with its first use where that was chosen', async () => {
    const lazy = openLocalEncoder(dir, manifest, { preload: ['text'] })
    await lazy.ready()
    const states = () => manifest.modalities.map((modality) => lazy.stateOf!(modality))
    expect(states()).toEqual(['ready', 'unopened', 'unopened'])
    await lazy.encode(image(1, 20, 30))
    expect(states()).toEqual(['ready', 'ready', 'unopened'])
    await lazy.ready('audio')
    expect(states()).toEqual(['ready', 'ready', 'ready'])
    await lazy.close()
  })

  it('gives the same embedding where weights are mapped and not repacked', async () => {
    const mapped = openLocalEncoder(dir, manifest, { prepack: false })
    for (const make of [MAKERS.text![0]!, MAKERS.image![0]!, MAKERS.audio![0]!]) {
      expect(difference(await mapped.encode(make()), await encoder.encode(make()))).toBeLessThanOrEqual(TOLERANCE)
    }
    await mapped.close()
  })

  it('says why its sessions do not open', async () => {
    const astray = openLocalEncoder(join(dir, 'nowhere'), manifest)
    await expect(astray.ready()).rejects.toMatchObject({ code: 'encoder-unavailable' })
    await expect(astray.encode(text(1, 5))).rejects.toThrow('could not be opened')
    await astray.close()
  })
})
