/** What the measurements share: the machine in a line, medians and spread, tables, JSON. A part of the others. */
import { mkdir, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { availableParallelism, cpus, totalmem } from 'node:os'
import { dirname } from 'node:path'
import { quantile } from './harness.mjs'

export { quantile }

/** Processor, cores, memory, versions. */
export function machineLine() {
  const { version } = createRequire(import.meta.url)('onnxruntime-node/package.json')
  const memory = (totalmem() / 2 ** 30).toFixed(0)
  return `${cpus()[0].model}, ${availableParallelism()} cores, ${memory} GiB; Node ${process.versions.node}, onnxruntime ${version}`
}

export const median = (values) => quantile(values, 0.5)

/** Median with least and the two quartiles, of times in ms. */
export const spread = (times) => ({
  min: Math.min(...times),
  q1: quantile(times, 0.25),
  median: median(times),
  q3: quantile(times, 0.75),
  runs: times.length,
})

/** A Markdown table. */
export function table(head, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

export async function writeJson(path, report) {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, `${JSON.stringify(report, null, 2)}\n`)
}
