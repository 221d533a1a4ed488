/**
 * How much of the bare session's rate does the HTTP service reach when it has all it can do?
 *
 *   npm run build && node bench/saturation.mjs [bundle] [seconds of each turn] [modalities]
 *
 * The bare session runs full batches of prepared inputs in this process, one after the other, with the threads and the priority that
 * the service gives it. The service gets the same inputs as a client has them, words, JPEGs of 320 × 240, WAVs of 5 s, from a process of its own, on
 * the same cores. Turns of both alternate.
 */
import { readFile } from 'node:fs/promises'
import { getPriority, setPriority } from 'node:os'
import { join, resolve } from 'node:path'
import { BundleSessions } from '../dist/encoder/bundle-sessions.js'
import { positionsOf } from '../dist/encoder/input-limits.js'
import { lanesOf } from '../dist/encoder/lanes.js'
import { MAX_BATCH, MAX_BATCH_POSITIONS } from '../dist/encoder/queue-bounds.js'
import { decodeImage } from '../dist/media/image.js'
import { Tokenizer } from '../dist/preprocess/tokenizer.js'
import { prepareAudio } from '../dist/preprocess/waveform.js'
import { tone, toWav } from '../dist/samples/synthesis.js'
import { load } from './client.mjs'
import { args, Report, sized } from './harness.mjs'
import { NANO, withService } from './service.mjs'

const TURNS = sized(5, 1)
/** Modalities, by commas; all if not said. */
const only = args[2]?.split(',')
const SECONDS = Number(args[1] ?? sized(4, 0.3))
const bundle = resolve(args[0] ?? NANO)
const manifest = JSON.parse(await readFile(join(bundle, 'manifest.json'), 'utf8'))
const report = new Report('saturation', { model: manifest.name, precision: manifest.precision })

const at = (file) => join(bundle, file)
const { encoder, merges, dictionary } = manifest.tokenizer
const tokenizer = await Tokenizer.load({ encoder: at(encoder), merges: at(merges), dictionary: at(dictionary) })
const words = (n) => `a photo of number ${1000 + (n % 9000)} on a wall`
const jpegs = await Promise.all([1, 2, 3, 4].map(jpeg))
const [sampleRateHz, hz] = [16_000, 440]
const wav = toWav(tone(5, hz))

const image = await decodeImage(jpegs[0], { orient: true })
const [{ waveform }] = prepareAudio({ sampleRateHz, channels: [Float32Array.from(tone(5, hz))] })
/** Of each modality: a prepared input, one request's body, how many inputs that has, and how many requests are in flight. */
const KINDS = {
  text: {
    input: { modality: 'text', tokenIds: tokenizer.encode(words(1)).tokenIds },
    bodies: Array.from({ length: 16 }, (_, i) =>
      JSON.stringify({ input: Array.from({ length: 16 }, (_, n) => words(16 * i + n)) }),
    ),
    perRequest: 16,
    clients: 16,
  },
  image: {
    input: { modality: 'image', width: image.width, height: image.height, data: image.data },
    bodies: jpegs.map((bytes) => {
      const url = `data:image/jpeg;base64,${bytes.toString('base64')}`
      return JSON.stringify({ input: { type: 'image_url', image_url: { url } } })
    }),
    perRequest: 1,
    clients: 32,
  },
  audio: {
    input: { modality: 'audio', waveform },
    bodies: [
      JSON.stringify({ input: { type: 'input_audio', input_audio: { data: wav.toString('base64'), format: 'wav' } } }),
    ],
    perRequest: 1,
    clients: 16,
  },
}

async function bare(modality, { input }, sessions) {
  const size = Math.max(
    1,
    Math.min(MAX_BATCH[modality], Math.floor(MAX_BATCH_POSITIONS / positionsOf(input, manifest))),
  )
  const batch = Array.from({ length: size }, () => input)
  let count = 0
  const began = performance.now()
  do {
    await sessions.encode(modality, batch)
    count += size
  } while (performance.now() - began < 1000 * SECONDS)
  return count / ((performance.now() - began) / 1000)
}

async function served({ bodies, perRequest, clients }, url) {
  const sending = await load({ url, clients, bodies, warmMs: sized(500, 0) })
  await new Promise((done) => setTimeout(done, 1000 * SECONDS))
  const { count, seconds } = await sending.stop()
  return (count * perRequest) / seconds
}

await withService(
  async (url) => {
    for (const [modality, kind] of Object.entries(KINDS)) {
      if (!manifest.modalities.includes(modality) || (only && !only.includes(modality))) continue
      const { threads, nice } = lanesOf(manifest).find(({ kinds }) => kinds.includes(modality))
      if (nice > getPriority()) setPriority(nice) // from texts, which come first, to the others
      const sessions = new BundleSessions(bundle, manifest, { intraOpThreads: threads })
      await bare(modality, kind, sessions)
      await served(kind, url)
      const [session, service] = [[], []]
      for (let turn = 0; turn < TURNS; turn++) {
        session.push(await bare(modality, kind, sessions))
        service.push(await served(kind, url))
      }
      report.row(`${modality}: bare session, ${threads} threads`, session, '/s')
      report.row(`${modality}: service`, service, '/s')
      report.ratio(`${modality}: service / bare session`, service, session, '≥ 0.95')
    }
  },
  { bundle, env: { ONEPEACE_CACHE_BYTES: '0' } },
)
report.end()

async function jpeg(seed) {
  const { default: sharp } = await import('sharp')
  const pixels = Buffer.from(Array.from({ length: 320 * 240 * 3 }, (_, i) => ((i * seed) / 900) % 256))
  return sharp(pixels, { raw: { width: 320, height: 240, channels: 3 } })
    .jpeg()
    .toBuffer()
}
