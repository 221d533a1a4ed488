/**
 * What every measurement shares: its switches, the machine it ran on, interleaved runs, medians with their spread, and a file of
 * the figures.
 *
 *   --smoke      as small as it can be, to see that it runs; its figures mean nothing
 *   --json FILE  writes what is printed as JSON
 */
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os'
import { parseArgs } from 'node:util'

const require = createRequire(import.meta.url)
const { values, positionals } = parseArgs({
  allowPositionals: true,
  strict: false,
  options: { smoke: { type: 'boolean' }, json: { type: 'string' } },
})

export const isSmoke = values.smoke === true
/** What the command line has beside the switches. */
export const args = positionals
/** `size` unless this is a smoke run. */
export const sized = (size, smoke) => (isSmoke ? smoke : size)

/** Value below which the share `q` of the values lies. */
export function quantile(values, q) {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))]
}

/** Runs each of the named tasks in turn, so that what else the machine does meets all alike. @returns the times of each, in ms */
export async function interleaved(tasks, runs, warm = 2) {
  const times = Object.fromEntries(Object.keys(tasks).map((name) => [name, []]))
  for (let run = -warm; run < runs; run++) {
    for (const [name, task] of Object.entries(tasks)) {
      const began = performance.now()
      const own = await task()
      if (run >= 0) times[name].push(typeof own === 'number' ? own : performance.now() - began)
    }
  }
  return times
}

/** Collects figures, prints them as they come, and writes them down at the end. */
export class Report {
  #rows = []
  #ratios = []
  #began = cpuTimes()
  #script

  /** @param script name of the measurement; `about` whatever else must be known of it, e.g. the model */
  constructor(script, about = {}) {
    this.#script = script
    this.machine = machineOf()
    this.about = about
    const { cpu, cores, memoryGiB, versions } = this.machine
    console.log(`${cpu}, ${cores} cores, ${memoryGiB} GiB, Linux ${release()}; ${describe(versions)}`)
    if (Object.keys(about).length > 0) console.log(describe(about))
    if (isSmoke) console.log('A smoke run: the figures mean nothing.')
  }

  /** Prints median, spread (quartiles) and tail of some values, and keeps them. @returns the median */
  row(name, values, unit = 'ms') {
    const at = (q) => quantile(values, q)
    const row = {
      name,
      unit,
      n: values.length,
      median: at(0.5),
      p25: at(0.25),
      p75: at(0.75),
      p99: at(0.99),
      min: at(0),
    }
    this.#rows.push(row)
    console.log(
      `${name.padEnd(44)} median ${figure(row.median)} ${unit} (${figure(row.p25)} to ${figure(row.p75)}; p99 ${figure(row.p99)}; n ${row.n})`,
    )
    return row.median
  }

  /** A single figure. */
  figure(name, value, unit) {
    this.#rows.push({ name, unit, n: 1, median: value })
    console.log(`${name.padEnd(44)} ${figure(value)} ${unit}`)
    return value
  }

  /** Median of `above[i] / below[i]`, which were run one after the other, against a target. */
  ratio(name, above, below, target) {
    const all = above.map((value, i) => value / below[i])
    const [median, p25, p75] = [0.5, 0.25, 0.75].map((q) => quantile(all, q))
    this.#ratios.push({ name, median, p25, p75, n: all.length, target })
    const wanted = target === undefined ? '' : `; wanted ${target}`
    console.log(`${name.padEnd(44)} ${figure(median)} (${figure(p25)} to ${figure(p75)}; n ${all.length}${wanted})`)
    return median
  }

  /** Says what else the machine did meanwhile, and writes the file. */
  end() {
    const elsewhere = busyElsewhere(this.#began)
    if (elsewhere !== undefined) {
      const cores = elsewhere.toFixed(2)
      console.log(
        `Meanwhile others used ${cores} of ${cpus().length} cores${elsewhere > 0.1 ? ': not a quiet machine' : ''}.`,
      )
    }
    if (values.json === undefined) return
    const { machine, about } = this
    const at = new Date().toISOString()
    const all = {
      script: this.#script,
      at,
      smoke: isSmoke,
      args,
      machine,
      about,
      elsewhere,
      rows: this.#rows,
      ratios: this.#ratios,
    }
    writeFileSync(values.json, `${JSON.stringify(all, null, 2)}\n`)
  }
}

const figure = (value) => (Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3))
const describe = (record) =>
  Object.entries(record)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ')

/** What the figures were made on. */
export function machineOf() {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    load: loadavg()[0],
    versions: {
      onepeace: commit(),
      node: process.version,
      onnxruntime: require('onnxruntime-node/package.json').version,
    },
  }
}

function commit() {
  try {
    return execFileSync('git', ['describe', '--always', '--dirty'], {
      cwd: import.meta.dirname,
      encoding: 'utf8',
    }).trim()
  } catch {
    return require('../package.json').version
  }
}

/** Core seconds: used by anyone, and by this process with those it has waited for. Undefined where the system does not tell. */
function cpuTimes() {
  try {
    const [user, nice, system, , , irq, softirq] = readFileSync('/proc/stat', 'utf8')
      .split('\n')[0]
      .match(/\d+/g)
      .map(Number)
    const own = readFileSync('/proc/self/stat', 'utf8')
      .replace(/^.*\) /, '')
      .split(' ')
      .slice(11, 15)
      .map(Number)
    return { at: performance.now(), all: user + nice + system + irq + softirq, own: own.reduce((a, b) => a + b) }
  } catch {
    return undefined
  }
}

/** Clock ticks of /proc are hundredths of a second. Children count once they have ended. */
function busyElsewhere(began) {
  const now = cpuTimes()
  if (!began || !now) return undefined
  return Math.max(0, (now.all - began.all - (now.own - began.own)) / 100 / ((now.at - began.at) / 1000))
}
