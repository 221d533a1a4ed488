/**
 * How long does the default model take for one input at a time, prepared pixels or samples to embedding?
 *
 *   node bench/encode-one.mjs [bundle]
 */
import { openBundle } from '../dist/bundle/open.js'
import { openLocalEncoder } from '../dist/encoder/local-encoder.js'
import { args, interleaved, Report, sized } from './harness.mjs'
import { NANO } from './service.mjs'

const RUNS = sized(100, 2)
const bundle = await openBundle(args[0] ?? NANO)
const encoder = openLocalEncoder(bundle.dir, bundle.manifest)
await encoder.ready()

const noise = (length) => Float32Array.from({ length }, () => Math.random() - 0.5)
const INPUTS = {
  'text of 8 tokens': () => ({ modality: 'text', tokenIds: [5, 6, 7, 8, 9, 10, 11, 2] }),
  'picture of 640 × 480': () => ({
    modality: 'image',
    width: 640,
    height: 480,
    data: new Uint8Array(640 * 480 * 3).fill(90),
  }),
  'sound of 2 s': () => ({ modality: 'audio', waveform: noise(32_000) }),
  'sound of 15 s': () => ({ modality: 'audio', waveform: noise(240_000) }),
}
const report = new Report('encode-one', { model: bundle.manifest.name, precision: bundle.manifest.precision })
const encodeNew = (make) => async () => {
  const input = make()
  const began = performance.now()
  await encoder.encode(input)
  return performance.now() - began
}
const tasks = Object.fromEntries(Object.entries(INPUTS).map(([name, make]) => [name, encodeNew(make)]))
for (const [name, times] of Object.entries(await interleaved(tasks, RUNS, sized(10, 0)))) report.row(name, times)
report.end()
await encoder.close()
