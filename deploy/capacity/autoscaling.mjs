/**
 * The same bursts under several settings of autoscaling and batching: npm run build && node deploy/capacity/autoscaling.mjs
 * `--hours N` (default 12), `--seed N`, `--svg FILE` draws the first two settings.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { drawn } from './drawing.mjs'
import { replay } from './fleet.mjs'
import { arrivals } from './load.mjs'
import { inputsPerSecond } from './model.mjs'

const { values } = parseArgs({
  options: {
    hours: { type: 'string', default: '12' },
    seed: { type: 'string', default: '7' },
    svg: { type: 'string' },
  },
})
const inputs = JSON.parse(readFileSync(new URL('./inputs.json', import.meta.url), 'utf8'))

/** Quiet, a burst that one L4 cannot carry, quiet, and half a night. */
const PHASES = [
  { perSecond: 2, meanS: 1800 },
  { perSecond: 60, meanS: 300 },
  { perSecond: 2, meanS: 1800 },
  { perSecond: 0, meanS: 5400 },
]
/** A batch of pictures: reading the weights once, and computing. */
const batchOn = (kind) => ({ fixedMs: 10, perInputMs: 1000 / inputsPerSecond(inputs, kind, 'image') })
const L4 = {
  minimum: 0,
  maximum: 4,
  wakeS: 300,
  idleMinutes: 15,
  perMinute: 1500,
  deadlineS: 25,
  maxWaitMs: 2,
  batch: batchOn('L4'),
}

const SETTINGS = {
  'L4, from 0, asleep after 15 min': L4,
  'L4, from 2': { ...L4, minimum: 2 },
  'L4, from 0, asleep after 60 min': { ...L4, idleMinutes: 60 },
  'L4, from 0, awake in 60 s': { ...L4, wakeS: 60 },
  'L4, from 1': { ...L4, minimum: 1 },
  'L4, from 1, awake in 60 s': { ...L4, minimum: 1, wakeS: 60 },
  'L4, from 2, waiting 20 ms for company': { ...L4, minimum: 2, maxWaitMs: 20 },
  'L4, from 2, batches of one': { ...L4, minimum: 2, maxBatch: 1 },
}

const times = arrivals({ hours: Number(values.hours), phases: PHASES, seed: Number(values.seed) })
const percent = (part) => `${((100 * part) / Math.max(1, times.length)).toFixed(1)} %`
const atShare = (sorted, share) =>
  sorted.length === 0 ? '–' : `${Math.round(sorted[Math.floor(sorted.length * share)])}`

console.log(
  `${times.length.toLocaleString('en-US')} requests in ${values.hours} h, seed ${values.seed}; prices are the examples of inputs.json.\n`,
)
const head = [
  'setting',
  'answered',
  'starting',
  'overloaded, late',
  'p50 ms',
  'p95 ms',
  'p99 ms',
  'batch',
  'encoder hours',
  '$',
  '$ a 1,000',
]
console.log(`| ${head.join(' | ')} |\n| --- |${' ---: |'.repeat(head.length - 1)}`)
const results = []
for (const [name, setting] of Object.entries(SETTINGS)) {
  const result = await replay(times, setting)
  const { answered, starting, overloaded, late, latenciesMs, batches, encoderHours } = result
  const dollars = encoderHours * inputs.prices.gpuHour.L4
  const row = [
    name,
    percent(answered),
    percent(starting),
    percent(overloaded + late),
    ...[0.5, 0.95, 0.99].map((share) => atShare(latenciesMs, share)),
    (batches.reduce((sum, size) => sum + size, 0) / Math.max(1, batches.length)).toFixed(1),
    encoderHours.toFixed(1),
    dollars.toFixed(2),
    ((1000 * dollars) / Math.max(1, answered)).toFixed(2),
  ]
  console.log(`| ${row.join(' | ')} |`)
  results.push({ name, ...result })
}
if (values.svg) writeFileSync(values.svg, drawn(results.slice(0, 2)))
