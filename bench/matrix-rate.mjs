/**
 * What share of the machine's fp32 matrix-product rate does the image branch reach? The rate is the best of several large products
 * in onnxruntime (and in PyTorch, if an interpreter with it is given), interleaved with the branch.
 *
 *   node bench/matrix-rate.mjs [--python PYTHON] [--bundle FOLDER] [--batches 1,8] [--runs N] [--json FILE] [--smoke]
 *
 * Without a bundle a random one is made, 512 wide with 8 layers. Counted are the branch's products alone (stem, projections,
 * attention, feed-forward), two operations for a multiply and add; norms, softmax and GELU take time and count nothing.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { openBundle } from '../dist/bundle/open.js'
import { convertCheckpoint } from '../dist/converter/convert.js'
import { openGraph } from '../dist/encoder/onnx-session.js'
import { GraphBuilder } from '../dist/onnx/graph-builder.js'
import { branchInputs } from './branch-inputs.mjs'
import { makeCheckpoint, SHAPES } from './make-checkpoint.mjs'
import { openPyTorch } from './pytorch.mjs'
import { machineLine, median, spread, table, writeJson } from './report.mjs'

const { values } = parseArgs({
  options: {
    python: { type: 'string' },
    batches: { type: 'string', default: '1,8' },
    runs: { type: 'string', default: '15' },
    json: { type: 'string' },
    smoke: { type: 'boolean', default: false },
  },
})
const threads = availableParallelism()
const shape = values.smoke ? 'smoke' : 'base'
const SIDES = values.smoke
  ? [[64, 64, 64]]
  : [
      [2048, 2048, 2048],
      [4096, 1024, 1024],
      [257, 512, 2048],
      [2056, 512, 2048],
    ]

const dir = await mkdtemp(join(tmpdir(), 'onepeace-matrix-'))
const pytorch = values.python && openPyTorch(values.python)
try {
  const checkpoint = join(dir, 'random.pt')
  await makeCheckpoint(checkpoint, { shape, dtype: 'fp32', modalities: ['image'] })
  await convertCheckpoint({ checkpointPath: checkpoint, outDir: join(dir, 'bundle'), precision: 'fp32' })
  const { dir: folder, manifest } = await openBundle(join(dir, 'bundle'))
  const branch = await openGraph(join(folder, manifest.image.graph), { intraOpThreads: threads })
  const products = await Promise.all(SIDES.map(openProduct))
  const results = []
  for (const batch of values.batches.split(',').map(Number)) {
    const inputs = branchInputs('image', batch, manifest)
    const operations = batch * imageOperations(SHAPES[shape])
    const rates = { branch: [], matrix: [] }
    for (let run = -2; run < Number(values.smoke ? 2 : values.runs); run++) {
      const best = Math.max(...(await each(products, (measure) => measure())), ...(await pytorchRates()))
      const rate = operations / (await timed(() => branch.run(inputs, ['embedding']))) / 1e6
      if (run >= 0) for (const [name, value] of Object.entries({ branch: rate, matrix: best })) rates[name].push(value)
    }
    const share = median(rates.branch.map((rate, i) => rate / rates.matrix[i]))
    results.push({ batch, share, branch: spread(rates.branch), matrix: spread(rates.matrix) })
  }
  const report = { machine: machineLine(), threads, withPyTorch: Boolean(pytorch), results }
  const rows = results.map(({ batch, share, branch: own, matrix }) => [
    batch,
    own.median.toFixed(0),
    matrix.median.toFixed(0),
    `${(100 * share).toFixed(0)} %`,
  ])
  console.log(
    `${report.machine}; ${threads} threads\n\n${table(['batch', 'branch, GFLOP/s', 'products, GFLOP/s', 'share'], rows)}`,
  )
  if (values.json) await writeJson(values.json, report)
} finally {
  pytorch?.close()
  await rm(dir, { recursive: true, force: true })
}

/** A function that gives the rate of one product of that size, in GFLOP/s. */
async function openProduct([M, K, N]) {
  const g = new GraphBuilder('product')
  const [x, w] = [g.input('x', 'float32', [M, K]), g.input('w', 'float32', [K, N])]
  g.output('y', g.op('MatMul', [x, w]), 'float32', [M, N])
  const path = join(dir, `${M}x${K}x${N}.onnx`)
  await writeFile(path, g.encode())
  const graph = await openGraph(path, { intraOpThreads: threads })
  const random = (rows, columns) => ({
    dtype: 'float32',
    dims: [rows, columns],
    data: new Float32Array(rows * columns).fill(0.5),
  })
  const inputs = { x: random(M, K), w: random(K, N) }
  return async () => (2 * M * K * N) / (await timed(() => graph.run(inputs))) / 1e6
}

function pytorchRates() {
  if (!pytorch) return []
  return each(SIDES, async ([M, K, N]) => (2 * M * K * N) / (await pytorch.ask({ matrix: [M, K, N] })).ms / 1e6)
}

/** Multiplications and additions of one picture's products. */
function imageOperations({ trunk, image }) {
  const { embedDim: D, ffnEmbedDim: F, layers } = trunk
  const { stemChannels: C, relBucketSize: r } = image
  const T = r * r + 1
  const stem = 16 * r * r * 48 * C + 4 * r * r * 4 * C * C + r * r * 4 * C * D
  const layer = T * (4 * D * D + 3 * D * F) + 2 * T * T * D
  return 2 * (stem + layers * layer + D * D)
}

async function timed(run) {
  const start = performance.now()
  await run()
  return performance.now() - start
}

async function each(items, map) {
  const results = []
  for (const item of items) results.push(await map(item))
  return results
}
