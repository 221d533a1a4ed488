import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import type { BundleManifest } from '../../../src/bundle/manifest.ts'
import type { EncoderInput } from '../../../src/encoder/encoder.ts'
import { openLocalEncoder } from '../../../src/encoder/local-encoder.ts'
import { SessionHost } from '../../../src/encoder/session-host.ts'

const folder = mkdtempSync(join(tmpdir(), 'onepeace-host-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** A worker that answers each picture with its first byte; 200 makes it throw, 201 exit, 203 report. */
const script = join(folder, 'worker.mjs')
writeFileSync(
  script,
  `import { parentPort } from 'node:worker_threads'
   parentPort.on('message', ({ inputs }) => {
     const first = inputs[0]?.data[0]
     if (first === 200) throw new Error('out of memory')
     if (first === 201) process.exit(3)
     if (first === 203) return parentPort.postMessage({ outcomes: [], failure: new Error('no such file') })
     const outcomes = inputs.map(({ data }) => ({ status: 'fulfilled', value: new Float32Array([data[0]]) }))
     parentPort.postMessage({ outcomes })
   })`,
)

const manifest: BundleManifest = {
  formatVersion: 1,
  name: 'test',
  embedDim: 1,
  precision: 'fp32',
  modalities: ['image'],
  logitScale: 1,
  image: { graph: 'i', preprocessGraph: 'p', sizePx: 16 },
  weights: 'w',
  files: [],
}
const setup = { bundleDir: folder, manifest, sessionOptions: {} }
const image = (value: number, data = new Uint8Array(3).fill(value)): EncoderInput => ({
  modality: 'image',
  width: 1,
  height: 1,
  data,
})
const hosts: SessionHost[] = []
const start = (path: string | undefined = script) => {
  const host = new SessionHost(setup, path)
  hosts.push(host)
  return host
}
afterEach(() => Promise.all(hosts.splice(0).map((host) => host.stop())))

const call = async (host: SessionHost, ...inputs: EncoderInput[]) =>
  (await host.call({ modality: 'image', inputs })).map((one) =>
    one.status === 'fulfilled' ? one.value[0] : one.reason,
  )

describe('a session host', () => {
  it('moves pixels to the worker', async () => {
    const data = new Uint8Array([7, 0, 0])
    expect(await call(start(), image(0, data))).toEqual([7])
    expect(data.length).toBe(0)
  })

  it('copies what cannot be moved: views, pooled buffers, one buffer twice', async () => {
    const large = new Uint8Array([1, 2, 3, 4, 5, 6])
    const whole = new Uint8Array([9, 0, 0])
    const inputs = [large.subarray(3), Buffer.from([8, 0, 0]), whole, whole].map((data) => image(0, data))
    expect(await call(start(), ...inputs)).toEqual([4, 8, 9, 9])
    expect(large.length).toBe(6)
  })

  it.each([
    ['throws', 200],
    ['exits', 201],
  ])('whose worker %s fails the task and starts another with the next', async (_, value) => {
    const host = start()
    await expect(call(host, image(value))).rejects.toMatchObject({ code: 'encoder-unavailable', retryAfterS: 1 })
    expect(await call(host, image(5))).toEqual([5])
  })

  it('that is stopped finishes the task in progress, and can start again', async () => {
    const host = start()
    const [answer] = await Promise.all([call(host, image(4)), host.stop()])
    expect(answer).toEqual([4])
    expect(await call(host, image(6))).toEqual([6])
  })

  it('reports sessions that do not open', async () => {
    await expect(call(start(), image(203))).rejects.toThrow('The model could not be opened (no such file).')
  })

  it.each(['no-such-worker.mjs', join(folder, 'no-such-worker.mjs')])(
    'reports a script that cannot start (%s)',
    async (path) => {
      await expect(call(start(path), image(1))).rejects.toMatchObject({ code: 'encoder-unavailable' })
    },
  )
})

describe('a local encoder', () => {
  it('fails what a crashed worker had, and goes on with the rest', async () => {
    const encoder = openLocalEncoder(folder, manifest, { hosts: [start()], maxBatch: { image: 1 } })
    const results = await Promise.allSettled([image(1), image(200), image(3)].map((input) => encoder.encode(input)))
    expect(results.map((one) => (one.status === 'fulfilled' ? one.value[0] : one.reason.code))).toEqual([
      1,
      'encoder-unavailable',
      3,
    ])
    await encoder.close()
  })

  it('opens again after a failure', async () => {
    const host = start(join(folder, 'late.mjs'))
    const encoder = openLocalEncoder(folder, manifest, { hosts: [host] })
    await expect(encoder.ready()).rejects.toMatchObject({ code: 'encoder-unavailable' })
    writeFileSync(
      join(folder, 'late.mjs'),
      `import { parentPort } from 'node:worker_threads'
       parentPort.on('message', () => parentPort.postMessage({ outcomes: [] }))`,
    )
    await encoder.ready()
    expect(encoder.stateOf!('image')).toBe('ready')
    await encoder.close()
    await expect(encoder.ready()).rejects.toMatchObject({ code: 'encoder-unavailable' })
    await expect(encoder.encode(image(1))).rejects.toMatchObject({ code: 'encoder-unavailable' })
  })

  it('refuses what its bundle does not encode', async () => {
    const encoder = openLocalEncoder(folder, manifest, { hosts: [start()] })
    const text: EncoderInput = { modality: 'text', tokenIds: [1] }
    await expect(encoder.encode(text)).rejects.toMatchObject({ code: 'unsupported-by-model' })
    await encoder.close()
  })
})
