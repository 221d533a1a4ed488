import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openGraph } from '../../../src/encoder/onnx-session.ts'
import { product } from '../../../src/model/product.ts'
import { windowed } from '../../../src/model/tensor-plan.ts'
import { windowProduct } from '../../../src/model/windows.ts'
import { ExternalDataWriter } from '../../../src/onnx/external-data.ts'
import { GraphBuilder, type Value, type Weights } from '../../../src/onnx/graph-builder.ts'
import { rotateBlocks } from '../../../src/onnx/hadamard.ts'
import { quantiseBlocks, quantiseRows, scaleName, transpose } from '../../../src/onnx/quantise.ts'
import { maxDifference } from '../../differences.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'onepeace-product-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

function randoms(length: number, seed: number, size = 1): Float32Array {
  let state = seed
  return Float32Array.from({ length }, () => {
    state = (state * 48271) % 2147483647
    return size * (state / 2147483647 - 0.5)
  })
}

const bytes = (array: ArrayBufferView) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength)

/** `W` (N, K) as it is stored at a precision, and more tensors beside it. */
async function stored(
  as: 'floats' | 'rows' | 'rotated' | 'blocks',
  rows: Float32Array,
  N: number,
  more: Record<string, number[]> = {},
) {
  const K = rows.length / N
  const writer = await ExternalDataWriter.create(join(dir, 'weights.bin'))
  const weights = new Map()
  if (as === 'floats') weights.set('W', await writer.add('float32', [K, N], bytes(transpose(rows, N, K))))
  if (as === 'rows' || as === 'rotated') {
    const own = rows.slice()
    if (as === 'rotated') rotateBlocks(own, 16)
    const { values, scales } = quantiseRows(own, N)
    const place = await writer.add('int8', [K, N], bytes(transpose(values, N, K)))
    weights.set('W', { ...place, ...(as === 'rotated' && { rotation: 16 }) })
    weights.set(scaleName('W'), await writer.add('float32', [N], bytes(scales)))
  }
  if (as === 'blocks') {
    const blocks = { bits: 8, size: 32, columns: K } as const
    const { values, scales } = quantiseBlocks(rows, blocks)
    weights.set('W', { ...(await writer.add('uint8', [N, K / 32, 32], values)), blocks })
    weights.set(scaleName('W'), await writer.add('float32', [(N * K) / 32], bytes(scales)))
  }
  for (const [name, dims] of Object.entries(more)) weights.set(name, await writer.add('float32', dims, bytes(rows)))
  await writer.finish()
  return weights as Weights
}

async function run(weights: Weights, x: Float32Array, dims: number[], build: (g: GraphBuilder, x: Value) => Value) {
  const g = new GraphBuilder('test', weights)
  const input = g.input('x', 'float32', ['b', 't', dims[2]!])
  g.output('y', build(g, input), 'float32', ['b', 't', 'n'])
  await writeFile(join(dir, 'graph.onnx'), g.encode())
  const graph = await openGraph(join(dir, 'graph.onnx'))
  const { y } = await graph.run({ x: { dtype: 'float32', dims, data: x } })
  await graph.close()
  return { data: y!.data as Float32Array, dims: y!.dims }
}

describe('a product with a matrix in few bits', () => {
  const [N, K, T] = [48, 64, 5]
  const W = randoms(N * K, 7)
  const x = randoms(T * K, 11)
  const productOf = (weights: Weights, rows: Float32Array) =>
    run(weights, rows, [1, rows.length / K, K], (g, given) => product(g, given, 'W'))

  it.each(['rows', 'rotated', 'blocks'] as const)('in %s is near the float product', async (as) => {
    const exact = await productOf(await stored('floats', W, N), x)
    const near = await productOf(await stored(as, W, N), x)
    const size = Math.max(...exact.data.map(Math.abs))
    expect(maxDifference(near.data, exact.data)).toBeLessThan(0.02 * size)
  })

  it.each(['rows', 'rotated', 'blocks'] as const)(
    'in %s gives a row the same whatever the others hold, huge values too',
    async (as) => {
      const weights = await stored(as, W, N)
      const alone = await productOf(weights, x.slice(0, K))
      const loud = x.map((value, i) => (i < K ? value : value * 1e6))
      const together = await productOf(weights, loud)
      expect([...together.data.slice(0, N)]).toEqual([...alone.data])
    },
  )

  it.each(['rows', 'rotated'] as const)(
    'in %s of a row of zeros is zero, and its neighbours are what they are',
    async (as) => {
      const weights = await stored(as, W, N)
      const alone = await productOf(weights, x.slice(0, K))
      const { data } = await productOf(weights, Float32Array.of(...new Float32Array(K), ...x.slice(0, K)))
      expect([...data.slice(0, N)].every((value) => value === 0)).toBe(true)
      expect([...data.slice(N)]).toEqual([...alone.data])
    },
  )

  it('of rows with a few large values is closer where they are rotated', async () => {
    const spiky = x.map((value, i) => (i % 29 === 0 ? 20 * value : value))
    const exact = await productOf(await stored('floats', W, N), spiky)
    const [plain, rotated] = [
      await productOf(await stored('rows', W, N), spiky),
      await productOf(await stored('rotated', W, N), spiky),
    ]
    const error = ({ data }: { data: Float32Array }) =>
      data.reduce((sum, value, i) => sum + (value - exact.data[i]!) ** 2, 0)
    expect(error(rotated)).toBeLessThan(0.5 * error(plain))
  })
})

describe('a product over windows', () => {
  const gelu = (values: Float32Array) => values.map((value) => (value > 0 ? 4 * value : 0.3 * value))

  it.each([
    [3, 2, 11],
    [3, 2, 12],
    [2, 2, 7],
    [10, 5, 23],
    [3, 3, 9],
    [2, 3, 10],
  ])('of %i frames every %i, of %i, is the convolution', async (kernel, stride, n) => {
    const [C, out, B] = [6, 4, 2]
    const weight = randoms(out * C * kernel, 3)
    const frames = gelu(randoms(B * n * C, 5))
    const rows = windowed('W', out, C, kernel).store(weight)
    const floats = await stored('floats', rows, out)
    const got = await run(floats, frames, [B, n, C], (g, x) => windowProduct(g, x, 'W', { kernel, stride }))
    const low = await run(await stored('rows', rows, out), frames, [B, n, C], (g, x) =>
      windowProduct(g, x, 'W', { kernel, stride }),
    )
    const raw = await stored('floats', weight, out, { C: [out, C, kernel] })
    const wanted = await run(raw, frames, [B, n, C], (g, x) => {
      const first = g.op('Transpose', [x], { perm: [0, 2, 1] })
      const conv = g.op('Conv', [first, g.weight('C')], { kernel_shape: [kernel], strides: [stride] })
      return g.op('Transpose', [conv], { perm: [0, 2, 1] })
    })
    expect(got.dims).toEqual(wanted.dims)
    expect(maxDifference(got.data, wanted.data)).toBeLessThan(1e-5)
    const size = Math.max(...wanted.data.map(Math.abs))
    expect(maxDifference(low.data, wanted.data)).toBeLessThan(0.03 * size)
  })

  it('in 8 bits is as close for a quiet window as for a loud one', async () => {
    const [C, out, n] = [16, 8, 8]
    const rows = windowed('W', out, C, 2).store(randoms(out * C * 2, 3))
    const frames = randoms(n * C, 5).map((value, i) => (i < (n * C) / 2 ? value * 1e-5 : value))
    const over = (g: GraphBuilder, x: Value) => windowProduct(g, x, 'W', { kernel: 2, stride: 2 })
    const exact = await run(await stored('floats', rows, out), frames, [1, n, C], over)
    const low = await run(await stored('rows', rows, out), frames, [1, n, C], over)
    for (let window = 0; window < n / 2; window++) {
      const [a, b] = [exact, low].map(({ data }) => data.slice(window * out, (window + 1) * out)) as [
        Float32Array,
        Float32Array,
      ]
      expect(maxDifference(a, b)).toBeLessThan(0.03 * Math.max(...a.map(Math.abs)))
    }
  })
})
