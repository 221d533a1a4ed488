/**
 * What happens at twice the load that the service can carry? First clients that wait for their answers find the best goodput
 * (answers with 2xx a second); then requests come at twice that rate, whatever the answers, for as long as asked.
 *
 *   npm run build && node bench/load.mjs [minutes of overload] [items of the collection]
 *
 * The mix, by number: 50 % texts, 15 % pictures, 10 % sounds of 2 s to embed; 15 % searches; 10 % items to keep, each in the place of
 * one that is there, so that what is kept stays as large, and memory that grows is memory lost. Prints goodput as a share of the
 * best, memory by minute, what was refused and whether it said when to come back.
 */
import { readFile } from 'node:fs/promises'
import { Agent, request } from 'node:http'
import { tone, toWav } from '../dist/samples/synthesis.js'
import { args, quantile, Report, sized } from './harness.mjs'
import { ms, withService } from './service.mjs'

const MINUTES = Number(args[0] ?? sized(10, 0.02))
const ITEMS = Number(args[1] ?? sized(20_000, 50))
const CLIENTS = sized([8, 16, 32, 64], [8])
const SECONDS_PER_STEP = sized(15, 0.5)
const figures = new Report('load')
const PICTURE = await pictureUrl()
const SOUNDS = [220, 330, 440, 550].map((hz) => toWav(tone(2, hz)).toString('base64'))

let count = 0
const words = () => `picture number ${count++} of a dog on a beach`
const item = () => ({ input: words(), metadata: { n: count } })
const MIX = [
  [0.5, () => ['text', '/v1/embeddings', { input: words() }]],
  [0.15, () => ['picture', '/v1/embeddings', { input: { type: 'image_url', image_url: { url: PICTURE } } }]],
  [
    0.1,
    () => [
      'sound',
      '/v1/embeddings',
      { input: { type: 'input_audio', input_audio: { data: SOUNDS[count++ % 4], format: 'wav' } } },
    ],
  ],
  [0.15, () => ['search', '/v1/collections/load/search', { query: words(), limit: 10 }]],
  [0.1, () => ['item', `/v1/collections/load/items/item-${Math.floor(draw() * ITEMS)}`, item(), 'PUT']],
]

let state = 1
/** From 0 to 1. */
function draw() {
  state = (state * 1664525 + 1013904223) >>> 0
  return state / 2 ** 32
}
function drawRequest() {
  let left = draw()
  for (const [share, make] of MIX) {
    if (left < share) return make()
    left -= share
  }
  return MIX[0][1]()
}

await withService(async (url, pid) => {
  const { hostname, port } = new URL(url)
  const agent = new Agent({ keepAlive: true, maxSockets: 4000 })
  const send = ([kind, path, json, method = 'POST']) =>
    new Promise((resolve) => {
      const body = JSON.stringify(json)
      const began = performance.now()
      const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
      const sent = request({ hostname, port, path, method, agent, headers }, (response) => {
        response.resume().on('end', () => {
          const { statusCode: status, headers } = response
          resolve({
            kind,
            status,
            tookMs: performance.now() - began,
            retryAfter: headers['retry-after'],
            stages: headers['server-timing'],
          })
        })
      })
      sent.on('error', (error) => resolve({ kind, status: error.code ?? 'broken', tookMs: performance.now() - began }))
      sent.end(body)
    })

  await send(['collection', '/v1/collections', { name: 'load' }])
  await fill(url)
  let best = 0
  for (const clients of CLIENTS) {
    const answers = await closedLoop(send, clients, SECONDS_PER_STEP)
    const goodput = answers.filter(isGood).length / SECONDS_PER_STEP
    console.log(
      `${String(clients).padStart(3)} clients: ${goodput.toFixed(1)} good answers a second, ${latency(answers)}`,
    )
    best = Math.max(best, goodput)
  }
  const rate = 2 * best
  console.log(`${MINUTES} min at ${rate.toFixed(0)} requests a second:`)
  const memory = [await residentMb(pid)]
  const watch = setInterval(async () => memory.push(await residentMb(pid)), 2000)
  const answers = await openLoop(send, rate, MINUTES * 60)
  clearInterval(watch)
  report(answers, best, memory)
  agent.destroy()
})
figures.end()

/** All items, as one body of lines; the answer is a line each. */
async function fill(url) {
  const lines = Array.from({ length: ITEMS }, (_, n) => JSON.stringify({ id: `item-${n}`, ...item() })).join('\n')
  const headers = { 'content-type': 'application/x-ndjson' }
  const response = await fetch(`${url}/v1/collections/load/items/batch`, { method: 'POST', headers, body: lines })
  const results = (await response.text()).trim().split('\n').map(JSON.parse)
  const kept = results.filter(({ status }) => status < 300).length
  console.log(`${kept} items kept`)
  if (kept < ITEMS) throw new Error(`Only ${kept} of ${ITEMS} items could be written: ${JSON.stringify(results[0])}`)
}

async function closedLoop(send, clients, seconds) {
  const answers = []
  const end = performance.now() + seconds * 1000
  const client = async () => {
    while (performance.now() < end) answers.push(await send(drawRequest()))
  }
  await Promise.all(Array.from({ length: clients }, client))
  return answers
}

/** Requests come on time whatever became of the earlier ones. */
async function openLoop(send, rate, seconds) {
  const answers = []
  const pending = new Set()
  const began = performance.now()
  let sent = 0
  while (performance.now() - began < seconds * 1000) {
    const due = Math.floor(((performance.now() - began) / 1000) * rate)
    for (; sent < due; sent++) {
      const at = (performance.now() - began) / 1000
      const one = send(drawRequest()).then((answer) => {
        answers.push({ ...answer, at })
        pending.delete(one)
      })
      pending.add(one)
    }
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  const elapsed = (performance.now() - began) / 1000
  const inTime = answers.length
  await Promise.all(pending)
  return Object.assign(answers, { elapsed, inTime, sent })
}

function report(answers, best, memory) {
  const good = answers.slice(0, answers.inTime).filter(isGood)
  const goodput = good.length / answers.elapsed
  figures.figure('goodput at twice the rate', goodput, '/s')
  figures.figure('share of the best', goodput / best, '')
  figures.figure('resident memory, most', Math.max(...memory), 'MB')
  console.log(`  ${answers.sent} sent, goodput ${goodput.toFixed(1)} a second: ${percent(goodput / best)} of the best`)
  for (const [kind, some] of [...grouped(answers.filter(isGood), 'kind')].sort()) {
    console.log(`  ${kind}: ${latency(some)}; median ms in ${stagesOf(some)}`)
  }
  const byStatus = grouped(answers, 'status')
  for (const [status, some] of [...byStatus].sort()) {
    const told = some.filter(({ retryAfter }) => retryAfter !== undefined).length
    const hint = isRefusal(status) ? `, ${percent(told / some.length)} with Retry-After` : ''
    console.log(`  ${status}: ${some.length} (${percent(some.length / answers.length)}), ${latency(some)}${hint}`)
  }
  const first = memory.slice(0, 30)
  const later = memory.slice(30)
  console.log(
    `  resident memory: most in the first minute ${Math.max(...first)} MB, ${later.length ? `after it ${Math.max(...later)} MB (${percent(Math.max(...later) / Math.max(...first) - 1)} more)` : 'no later minute'}`,
  )
  for (let minute = 0; minute * 30 < memory.length; minute++) {
    const part = memory.slice(minute * 30, minute * 30 + 30)
    console.log(`    minute ${minute + 1}: ${Math.min(...part)} to ${Math.max(...part)} MB`)
  }
}

/** What the service itself says of where the time went. */
function stagesOf(answers) {
  const times = new Map()
  for (const { stages = '' } of answers) {
    for (const [, stage, dur] of stages.matchAll(/(\w+);dur=([\d.]+)/g)) {
      if (!times.has(stage)) times.set(stage, [])
      times.get(stage).push(Number(dur))
    }
  }
  return [...times].map(([stage, all]) => `${stage} ${quantile(all, 0.5).toFixed(0)}`).join(', ')
}

function grouped(answers, by) {
  const groups = new Map()
  for (const answer of answers) {
    const group = groups.get(answer[by]) ?? []
    groups.set(answer[by], group)
    group.push(answer)
  }
  return groups
}

function isGood({ status }) {
  return status >= 200 && status < 300
}

function isRefusal(status) {
  return status === 429 || status === 503
}

function percent(share) {
  return `${(100 * share).toFixed(1)} %`
}

function latency(answers) {
  const times = answers.map(({ tookMs }) => tookMs)
  return times.length ? `p50 ${ms(quantile(times, 0.5))}, p99 ${ms(quantile(times, 0.99))}` : 'no answers'
}

async function residentMb(pid) {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024)
}

/** A picture of 320 × 240, noisy enough to be worth decoding. */
async function pictureUrl() {
  const { default: sharp } = await import('sharp')
  const pixels = Buffer.from(Array.from({ length: 320 * 240 * 3 }, (_, i) => (i * 2654435761) >>> 24))
  const jpeg = await sharp(pixels, { raw: { width: 320, height: 240, channels: 3 } })
    .jpeg()
    .toBuffer()
  return `data:image/jpeg;base64,${jpeg.toString('base64')}`
}
