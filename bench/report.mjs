/** What the measurements of conversion and precision share: the machine in a line, medians and spread, tables, JSON. A part of the others. */
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { machineOf, quantile } from './harness.mjs'

/** Processor, cores, memory, versions. */
export function machineLine() {
  const { cpu, cores, memoryGiB, versions } = machineOf()
  return `${cpu}, ${cores} cores, ${memoryGiB} GiB; Node ${process.versions.node}, onnxruntime ${versions.onnxruntime}`
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
