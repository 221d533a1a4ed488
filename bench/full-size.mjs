/**
 * How long does an embedding take at full size on this machine, in how much memory, and how long does it take to be ready? One
 * branch of a bundle in a process of its own: opening, first embedding, then one item at a time.
 *
 *   node bench/full-size.mjs BUNDLE [--modality image] [--runs N] [--threads N] [--prepack] [--json FILE]
 *   node bench/full-size.mjs --smoke
 *
 * A bundle of the official size comes of make-checkpoint and convert, or `onepeace convert` of the real one. `--prepack` lets
 * onnxruntime copy the weights into the layout it likes best; without, it uses the mapped file in place. Cold start is from the
 * process's start; the weights are read once before, so that they are in the page cache.
 */
import { execFile } from 'node:child_process'
import { createReadStream, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs, promisify } from 'node:util'
import { openBundle } from '../dist/bundle/open.js'
import { convertCheckpoint } from '../dist/converter/convert.js'
import { openGraph } from '../dist/encoder/onnx-session.js'
import { branchInputs } from './branch-inputs.mjs'
import { makeCheckpoint } from './make-checkpoint.mjs'
import { machineLine, spread, table, writeJson } from './report.mjs'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    modality: { type: 'string', default: 'image' },
    runs: { type: 'string', default: '10' },
    threads: { type: 'string', default: `${availableParallelism()}` },
    prepack: { type: 'boolean', default: false },
    json: { type: 'string' },
    smoke: { type: 'boolean', default: false },
    /** Set by this script for the process that measures itself. */
    inside: { type: 'boolean', default: false },
  },
})

if (values.inside) await measure(positionals[0])
else if (values.smoke) await smoke()
else await report(positionals[0])

async function smoke() {
  const dir = await mkdtemp(join(tmpdir(), 'onepeace-full-'))
  try {
    const checkpoint = join(dir, 'random.pt')
    await makeCheckpoint(checkpoint, { shape: 'smoke', dtype: 'bf16', modalities: ['image'] })
    await convertCheckpoint({ checkpointPath: checkpoint, outDir: join(dir, 'bundle'), precision: 'int8' })
    await report(join(dir, 'bundle'))
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

async function report(bundle) {
  const { manifest } = await openBundle(bundle)
  for await (const _ of createReadStream(join(bundle, manifest.weights), { highWaterMark: 1 << 22 }));
  const args = [fileURLToPath(import.meta.url), ...process.argv.slice(2).filter((arg) => arg !== '--smoke'), '--inside']
  if (values.smoke) args.splice(1, 0, bundle)
  const started = performance.timeOrigin + performance.now()
  const { stdout } = await promisify(execFile)(process.execPath, args)
  const { firstAt, ...figures } = JSON.parse(stdout)
  const measured = { machine: machineLine(), precision: manifest.precision, ...figures, coldStartMs: firstAt - started }
  const { times, openMs, coldStartMs, residentBytes } = measured
  const s = (ms) => `${(ms / 1000).toFixed(2)} s`
  const row = [
    manifest.precision,
    values.modality,
    `${s(times.median)} (${s(times.min)}–${s(times.q3)})`,
    s(openMs),
    s(coldStartMs),
    `${(residentBytes / 1e9).toFixed(2)} GB`,
  ]
  const head = ['precision', 'branch', 'embedding', 'opening', 'start to first embedding', 'resident']
  console.log(
    `${measured.machine}; ${values.threads} threads, prepacking ${values.prepack ? 'on' : 'off'}\n\n${table(head, [row])}`,
  )
  if (values.json) await writeJson(values.json, measured)
}

async function measure(bundle) {
  const { dir, manifest } = await openBundle(bundle)
  const opening = performance.now()
  const options = { intraOpThreads: Number(values.threads), prepack: values.prepack }
  const graph = await openGraph(join(dir, manifest[values.modality].graph), options)
  const openMs = performance.now() - opening
  const inputs = branchInputs(values.modality, 1, manifest)
  await graph.run(inputs, ['embedding'])
  const firstAt = performance.timeOrigin + performance.now()
  const times = []
  for (let run = 0; run < Number(values.runs); run++) {
    const start = performance.now()
    await graph.run(inputs, ['embedding'])
    times.push(performance.now() - start)
  }
  const residentBytes = 1024 * Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? 0)
  console.log(JSON.stringify({ openMs, firstAt, times: spread(times), residentBytes }))
}
