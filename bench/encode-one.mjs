/**
 * How long does the default model take for one input at a time, prepared pixels or samples to embedding?
 *
 *   node bench/encode-one.mjs [bundle]
 */
import { fileURLToPath } from 'node:url'
import { openBundle } from '../dist/bundle/open.js'
import { openLocalEncoder } from '../dist/encoder/local-encoder.js'
import { ms, quantile } from './service.mjs'

const RUNS = 100
const bundle = await openBundle(process.argv[2] ?? fileURLToPath(new URL('../models/onepeace-nano', import.meta.url)))
const encoder = openLocalEncoder(bundle.dir, bundle.manifest, { maxWaitMs: 0 })
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
for (const [name, input] of Object.entries(INPUTS)) {
  const times = []
  for (let run = -10; run < RUNS; run++) {
    const prepared = input()
    const start = performance.now()
    await encoder.encode(prepared)
    if (run >= 0) times.push(performance.now() - start)
  }
  console.log(`${name.padEnd(22)} p50 ${ms(quantile(times, 0.5))}, p95 ${ms(quantile(times, 0.95))}`)
}
await encoder.close()
