/**
 * How fast is a checkpoint converted, and in how much memory? `onepeace convert` in a process of its own, at each precision.
 *
 *   node bench/convert.mjs CHECKPOINT BPE_FOLDER [--precisions int8,fp16] [--keep FOLDER] [--json FILE]
 *
 * The rate counts bytes of the checkpoint, as the disk has to give them; the memory is the most that was resident. The
 * full-size checkpoint: node bench/make-checkpoint.mjs full.pt, then this on full.pt and full.pt.bpe. `--keep` leaves the bundles.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { machineLine, table, writeJson } from './report.mjs'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { precisions: { type: 'string', default: 'int8' }, keep: { type: 'string' }, json: { type: 'string' } },
})
const [checkpoint, bpe] = positionals
const executable = fileURLToPath(new URL('../bin/onepeace.js', import.meta.url))
const { size } = await stat(checkpoint)
const dir = values.keep ?? (await mkdtemp(join(tmpdir(), 'onepeace-convert-')))
const measured = {}
try {
  for (const precision of values.precisions.split(','))
    measured[precision] = await convert(precision, join(dir, precision))
} finally {
  if (values.keep === undefined) await rm(dir, { recursive: true, force: true })
}
const report = { machine: machineLine(), checkpointBytes: size, precisions: measured }
const rows = Object.entries(measured).map(([precision, { seconds, residentBytes, bundleBytes }]) => [
  precision,
  `${seconds.toFixed(1)} s`,
  `${(size / 1e6 / seconds).toFixed(0)} MB/s`,
  `${(residentBytes / 1e9).toFixed(2)} GB`,
  `${(bundleBytes / 1e9).toFixed(2)} GB`,
])
console.log(
  `${(size / 1e9).toFixed(2)} GB; ${report.machine}\n\n${table(['precision', 'took', 'rate', 'resident', 'bundle'], rows)}`,
)
if (values.json) await writeJson(values.json, report)

async function convert(precision, out) {
  const start = performance.now()
  const args = [executable, 'convert', checkpoint, '--bpe', bpe, '--out', out, '--precision', precision]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] })
  let residentBytes = 0
  const watch = setInterval(() => {
    residentBytes = Math.max(residentBytes, residentOf(child.pid))
  }, 50)
  const [code] = await once(child, 'exit')
  clearInterval(watch)
  if (code !== 0) throw new Error(`The conversion to ${precision} ended with code ${code}.`)
  const seconds = (performance.now() - start) / 1000
  const manifest = JSON.parse(readFileSync(join(out, 'manifest.json'), 'utf8'))
  if (values.keep === undefined) await rm(out, { recursive: true })
  return { seconds, residentBytes, bundleBytes: manifest.files.reduce((sum, { bytes }) => sum + bytes, 0) }
}

/** Most that the process had resident; 0 when it is gone. Linux only. */
function residentOf(pid) {
  try {
    return 1024 * Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0)
  } catch {
    return 0
  }
}
