/**
 * Does the HTTP loop stay free while a client embeds without pause? Prints the quantiles of /livez, idle and under each
 * kind of load.
 *
 *   node bench/livez-under-load.mjs [seconds per load]
 */
import { tone, toWav } from '../dist/samples/synthesis.js'
import { args, Report, sized } from './harness.mjs'
import { withService } from './service.mjs'

const SECONDS = Number(args[0] ?? sized(10, 0.5))
const report = new Report('livez-under-load')

/** 1 × 1 PNG: the model's input is the same size whatever the picture's. */
const PICTURE =
  'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='

/** Bodies are made beforehand: this process probes as well, and must not be what it measures. */
const LOADS = {
  idle: undefined,
  texts: { input: Array.from({ length: 64 }, (_, i) => `a photo of number ${i} on a wall`) },
  sounds: {
    input: [{ type: 'input_audio', input_audio: { data: toWav(tone(15, 440)).toString('base64'), format: 'wav' } }],
  },
  pictures: { input: Array.from({ length: 16 }, () => ({ type: 'image_url', image_url: { url: PICTURE } })) },
}

await withService(async (url) => {
  for (const [name, request] of Object.entries(LOADS)) {
    const body = JSON.stringify(request)
    let [running, embedded] = [true, 0]
    const client =
      request &&
      (async () => {
        while (running) {
          await post(`${url}/v1/embeddings`, body)
          embedded++
        }
      })()
    const times = await probe(`${url}/livez`, SECONDS)
    running = false
    await client
    report.row(`/livez, ${name}`, times)
    if (request) report.figure(`requests embedded meanwhile, ${name}`, embedded / SECONDS, '/s')
  }
})

report.end()

async function post(url, body) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  })
  if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`)
  await response.arrayBuffer()
}

async function probe(url, seconds) {
  const times = []
  for (const end = performance.now() + 1000 * seconds; performance.now() < end; ) {
    const start = performance.now()
    await (await fetch(url)).arrayBuffer()
    times.push(performance.now() - start)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  return times
}
