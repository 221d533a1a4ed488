/**
 * How long does a text query take while sounds keep the encoder busy without pause?
 *
 *   npm run build && node bench/lanes.mjs [bundle] [seconds of each turn]
 *
 * Turns with and without load alternate. The load is 8 clients in a process of their own, on the same cores, that send sounds of 5 s;
 * the queries are texts never seen before, one at a time, 20 ms apart.
 */
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { tone, toWav } from '../dist/samples/synthesis.js'
import { load, poster } from './client.mjs'
import { args, quantile, Report, sized } from './harness.mjs'
import { NANO, withService } from './service.mjs'

const TURNS = sized(5, 1)
const SECONDS = Number(args[1] ?? sized(8, 0.5))
const CLIENTS = 8
const PAUSE_MS = 20
const bundle = resolve(args[0] ?? NANO)
const { name, precision } = JSON.parse(readFileSync(join(bundle, 'manifest.json'), 'utf8'))
const report = new Report('lanes', { model: name, precision })

const sounds = [220, 330, 440, 550].map((hz) => {
  const data = toWav(tone(5, hz)).toString('base64')
  return JSON.stringify({ input: { type: 'input_audio', input_audio: { data, format: 'wav' } } })
})
let asked = 0
async function queries(post) {
  const times = []
  for (const end = performance.now() + 1000 * SECONDS; performance.now() < end; ) {
    const body = JSON.stringify({ input: `a photo of number ${asked++} on a wall` })
    const began = performance.now()
    const { status } = await post('/v1/embeddings', body)
    if (status !== 200) throw new Error(`A query was answered with ${status}.`)
    times.push(performance.now() - began)
    await new Promise((done) => setTimeout(done, PAUSE_MS))
  }
  return times
}

await withService(
  async (url) => {
    const post = poster(url)
    await queries(post) // warm
    const [idle, loaded, rates] = [[], [], []]
    for (let turn = 0; turn < TURNS; turn++) {
      idle.push(...(await queries(post)))
      const sending = await load({ url, clients: CLIENTS, bodies: sounds })
      await new Promise((done) => setTimeout(done, sized(1000, 100))) // until the queues are full
      loaded.push(...(await queries(post)))
      const { count, seconds } = await sending.stop()
      rates.push(count / seconds)
    }
    report.row('text query, idle', idle)
    report.row('text query, sounds without pause', loaded)
    report.row('sounds meanwhile', rates, '/s')
    report.figure('p99 under load / p50 idle (wanted: ≤ 3)', quantile(loaded, 0.99) / quantile(idle, 0.5), '×')
  },
  { bundle, env: { ONEPEACE_CACHE_BYTES: '0', ONEPEACE_LOG_LEVEL: 'warn' } },
)
report.end()
