/**
 * How much faster are the graphs than PyTorch eager with the same weights and threads? Text of 32 tokens, pictures, sounds of 5 s,
 * each precision; runs are interleaved, PyTorch in a process beside this one.
 *
 *   node bench/against-pytorch.mjs PYTHON [--checkpoint FILE] [--precisions fp32,int8] [--batches 1,8] [--runs N] [--json FILE] [--smoke]
 *
 * PYTHON is an interpreter with torch and numpy. Without a checkpoint a random one is made, 512 wide with 8 layers. Ratios are
 * medians over the rounds of PyTorch's time by ours in the same round; cosines are to PyTorch's embedding.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { openBundle } from '../dist/bundle/open.js'
import { convertCheckpoint } from '../dist/converter/convert.js'
import { openGraph } from '../dist/encoder/onnx-session.js'
import { branchInputs } from './branch-inputs.mjs'
import { makeCheckpoint } from './make-checkpoint.mjs'
import { openPyTorch } from './pytorch.mjs'
import { machineLine, median, spread, table, writeJson } from './report.mjs'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    checkpoint: { type: 'string' },
    precisions: { type: 'string', default: 'fp32,int8' },
    batches: { type: 'string', default: '1,8' },
    runs: { type: 'string', default: '15' },
    json: { type: 'string' },
    smoke: { type: 'boolean', default: false },
  },
})
const threads = availableParallelism()
const precisions = values.precisions.split(',')
/** PyTorch's threads go on spinning for some milliseconds after a run. */
const PAUSE_MS = 20

const dir = await mkdtemp(join(tmpdir(), 'onepeace-pytorch-'))
const pytorch = openPyTorch(positionals[0])
try {
  const checkpoint = values.checkpoint ?? join(dir, 'random.pt')
  if (!values.checkpoint) {
    const shape = values.smoke ? 'smoke' : 'base'
    await makeCheckpoint(checkpoint, { shape, dtype: 'fp32', modalities: ['text', 'image', 'audio'] })
  }
  const bundles = {}
  for (const precision of precisions) {
    const outDir = join(dir, precision)
    await convertCheckpoint({ checkpointPath: checkpoint, bpeDir: `${checkpoint}.bpe`, outDir, precision })
    bundles[precision] = await openBundle(outDir)
  }
  const { ready: version } = await pytorch.ask({ load: checkpoint, threads })
  const results = []
  for (const modality of ['text', 'image', 'audio']) {
    for (const batch of values.batches.split(',').map(Number)) results.push(await race(modality, batch, bundles))
  }
  const report = { machine: `${machineLine()}, PyTorch ${version}`, threads, results }
  console.log(`${report.machine}; ${threads} threads\n\n${asMarkdown(results)}`)
  if (values.json) await writeJson(values.json, report)
} finally {
  pytorch.close()
  await rm(dir, { recursive: true, force: true })
}

async function race(modality, batch, bundles) {
  const inputs = branchInputs(modality, batch, Object.values(bundles)[0].manifest)
  const request = { modality, files: {}, shapes: {} }
  for (const [name, { dims, data }] of Object.entries(inputs)) {
    request.files[name] = join(dir, `${name}.raw`)
    request.shapes[name] = dims
    await writeFile(request.files[name], new Uint8Array(data.buffer))
  }
  const graphs = {}
  for (const [precision, { dir: folder, manifest }] of Object.entries(bundles)) {
    graphs[precision] = await openGraph(join(folder, manifest[modality].graph), { intraOpThreads: threads })
  }
  const times = { pytorch: [], ...Object.fromEntries(precisions.map((precision) => [precision, []])) }
  const cosines = {}
  const runs = values.smoke ? 2 : Math.max(3, Math.round(Number(values.runs) / Math.sqrt(batch)))
  for (let run = -2; run < runs; run++) {
    const { ms, embedding } = await pytorch.ask(request)
    if (run >= 0) times.pytorch.push(ms)
    await sleep(PAUSE_MS)
    for (const [precision, graph] of Object.entries(graphs)) {
      const start = performance.now()
      const { embedding: ours } = await graph.run(inputs, ['embedding'])
      if (run >= 0) times[precision].push(performance.now() - start)
      cosines[precision] = embedding.reduce((sum, value, i) => sum + value * ours.data[i], 0)
    }
  }
  for (const graph of Object.values(graphs)) await graph.close()
  const ratios = Object.fromEntries(
    precisions.map((precision) => [precision, median(times.pytorch.map((ms, i) => ms / times[precision][i]))]),
  )
  const spreads = Object.fromEntries(Object.entries(times).map(([name, all]) => [name, spread(all)]))
  return { modality, batch, ratios, cosines, times: spreads }
}

function asMarkdown(results) {
  const head = [
    'input',
    'batch',
    'PyTorch',
    ...precisions.flatMap((precision) => [precision, 'times as fast', 'cosine']),
  ]
  const ms = ({ median: middle, q1, q3 }) => `${middle.toFixed(1)} ms (${q1.toFixed(1)}–${q3.toFixed(1)})`
  const rows = results.map(({ modality, batch, times, ratios, cosines }) => [
    modality,
    batch,
    ms(times.pytorch),
    ...precisions.flatMap((precision) => [
      ms(times[precision]),
      ratios[precision].toFixed(2),
      cosines[precision].toFixed(5),
    ]),
  ])
  return table(head, rows)
}
