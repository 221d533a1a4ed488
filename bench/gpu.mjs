/**
 * What does a graphics card make of the same graphs: pictures, tokens and seconds of sound a second, and what share of its own rate of
 * matrix products is that?
 *
 *   npm run build && node bench/gpu.mjs [bundle] [cuda | cpu]
 *
 * `cuda` needs onnxruntime's CUDA libraries (docs/gpu.md). `cpu` runs the same on the processor, small, so that this cannot rot where
 * there is no card. The matrix rate is that of a chain of square products on the device, in float32, in which graphs of all precisions that run on a card compute; the branch's operations
 * are its products with weights alone.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { frameCount, positionsOf } from '../dist/encoder/input-limits.js'
import { openGraph } from '../dist/encoder/onnx-session.js'
import { GraphBuilder } from '../dist/onnx/graph-builder.js'
import { DATA_TYPE } from '../dist/onnx/proto.js'
import { args, interleaved, isSmoke, quantile, Report, sized } from './harness.mjs'
import { operationsPerPosition } from './operations.mjs'
import { NANO } from './service.mjs'

const device = args[1] ?? (isSmoke ? 'cpu' : 'cuda')
const isCard = device !== 'cpu'
const RUNS = sized(20, 1)
const BATCHES = isSmoke ? [1] : isCard ? [1, 8, 32, 128] : [1, 8]
const [TOKENS, SECONDS] = [32, 5]
const [SIDE, CHAIN] = isCard ? [4096, 32] : [sized(1024, 64), 4]
const bundle = resolve(args[0] ?? NANO)
const manifest = JSON.parse(await readFile(join(bundle, 'manifest.json'), 'utf8'))
const options = { executionProviders: [device] }
const report = new Report('gpu', { device, model: manifest.name, precision: manifest.precision })

const samples = SECONDS * 16_000
/** Of each branch: tensors of a batch, positions of an item, and what it is counted in. */
const BRANCHES = {
  image: {
    inputs: (n) => ({ src_images: floats([n, 3, manifest.image.sizePx, manifest.image.sizePx]) }),
    item: { modality: 'image' },
    unit: 'images/s',
    each: 1,
  },
  text: {
    inputs: (n) => ({
      src_tokens: { dtype: 'int64', dims: [n, TOKENS], data: new BigInt64Array(n * TOKENS).fill(9n) },
    }),
    item: { modality: 'text', tokenIds: { length: TOKENS } },
    unit: 'tokens/s',
    each: TOKENS,
  },
  audio: {
    inputs: (n) => {
      const positions = frameCount(samples, manifest.audio) + 1
      const mask = { dtype: 'bool', dims: [n, positions], data: new Uint8Array(n * positions) }
      return { src_audios: floats([n, samples]), audio_padding_masks: mask }
    },
    item: { modality: 'audio', waveform: { length: samples } },
    unit: 's of sound/s',
    each: SECONDS,
  },
}

const dir = await mkdtemp(join(tmpdir(), 'onepeace-gpu-'))
try {
  const product = await openProduct('float32')
  const matrix = { dtype: 'float32', dims: [1], data: new Float32Array([1 / SIDE]) }
  for (const modality of manifest.modalities) {
    const { inputs, item, unit, each } = BRANCHES[modality]
    const path = join(bundle, manifest[modality].graph)
    const graph = await openGraph(path, options)
    const operations = operationsPerPosition(path) * positionsOf(item, manifest)
    for (const batch of BATCHES) {
      const feeds = inputs(batch)
      const tasks = { branch: () => graph.run(feeds, ['embedding']), matrix: () => product.run({ x: matrix }) }
      const times = await interleaved(ignoringResults(tasks), RUNS, sized(3, 0))
      report.row(
        `${modality}, batch ${batch}`,
        times.branch.map((ms) => (1000 * batch * each) / ms),
        unit,
      )
      const rate = (count, ms) => count / ms / 1e9 // TFLOP/s
      const matrixRate = rate(CHAIN * 2 * SIDE ** 3, quantile(times.matrix, 0.5))
      report.figure(
        `${modality}, batch ${batch}: share of ${matrixRate.toFixed(2)} TFLOP/s`,
        (100 * rate(batch * operations, quantile(times.branch, 0.5))) / matrixRate,
        '%',
      )
    }
    await graph.close()
  }
  await product.close()
} finally {
  await rm(dir, { recursive: true })
}
report.end()

/** `interleaved` takes a number for a time. */
function ignoringResults(tasks) {
  return Object.fromEntries(Object.entries(tasks).map(([name, run]) => [name, async () => void (await run())]))
}

function floats(dims) {
  const length = dims.reduce((a, b) => a * b)
  return { dtype: 'float32', dims, data: Float32Array.from({ length }, (_, i) => Math.sin(i)) }
}

/**
 *   x (1) ─ Cast ─ Expand (S, S) ─ MatMul w ─ … ─ MatMul w ─ ReduceMax ─ y
 *
 * All but x is made on the device, so that only the products take time.
 */
async function openProduct(dtype) {
  const g = new GraphBuilder('product')
  const x = g.op('Cast', [g.input('x', 'float32', [1])], { to: DATA_TYPE[dtype] })
  const w = g.op('Expand', [x, g.int64([SIDE, SIDE])]) // (S, S), all 1 / S: products stay what they are
  let y = w
  for (let i = 0; i < CHAIN; i++) y = g.op('MatMul', [y, w])
  const top = g.op('Cast', [g.op('ReduceMax', [y], { keepdims: 0 })], { to: DATA_TYPE.float32 })
  g.output('y', top, 'float32', [])
  const path = join(dir, 'product.onnx')
  await writeFile(path, g.encode())
  return openGraph(path, options)
}
