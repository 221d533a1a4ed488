import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Checkpoint, CheckpointError, openCheckpoint } from '../../../src/checkpoint/checkpoint.ts'
import { bytesOf, dict, op, pickle, type TensorSpec, tempFile, tensor, torchFile, zip } from './builders.ts'

const range = (count: number) => Float32Array.from({ length: count }, (_, i) => i)
const float = (shape: number[], strides: number[], offset = 0, storageElements = 24): TensorSpec => ({
  key: '0',
  storage: 'FloatStorage',
  storageElements,
  offset,
  shape,
  strides,
})

async function using<T>(path: string, act: (checkpoint: Checkpoint) => Promise<T>): Promise<T> {
  const checkpoint = await openCheckpoint(path)
  try {
    return await act(checkpoint)
  } finally {
    await checkpoint.close()
  }
}

const read = (spec: TensorSpec, storage: Uint8Array, options = {}) =>
  using(torchFile(pickle(dict({ model: dict({ t: tensor(spec) }) })), { 0: storage }, options), (checkpoint) =>
    checkpoint.readFloat32('t'),
  )

/** What NumPy's `as_strided(...).ravel()` gives. */
function gather(values: Float32Array, { shape, strides, offset = 0 }: TensorSpec): number[] {
  const step = (dim: number, at: number): number[] =>
    dim === shape.length
      ? [values[at]!]
      : Array.from({ length: shape[dim]! }, (_, i) => step(dim + 1, at + i * strides[dim]!)).flat()
  return step(0, offset)
}

describe('views of a storage', () => {
  it.each([
    ['contiguous', float([2, 3, 4], [12, 4, 1])],
    ['transposed', float([4, 6], [1, 4])],
    ['permuted', float([3, 4, 2], [4, 1, 12])],
    ['sliced, with an offset', float([2, 3], [6, 1], 7)],
    ['a column', float([6], [4], 3)],
    ['expanded', float([3, 4], [0, 1])],
    ['overlapping', float([3, 4], [2, 1])],
    ['a scalar', float([], [], 5)],
    ['of one row, whatever its stride', float([1, 4], [99, 1])],
    ['empty', float([0, 4], [4, 1])],
  ])('reads one that is %s', async (_, spec) => {
    const storage = range(24)
    expect([...(await read(spec, bytesOf(storage)))]).toEqual(spec.shape.includes(0) ? [] : gather(storage, spec))
  })

  it('reads several tensors of one storage, in the order of the file', async () => {
    const model = dict({ b: tensor(float([2, 2], [2, 1], 4)), a: tensor(float([4], [1], 6)) })
    await using(torchFile(pickle(dict({ model })), { 0: bytesOf(range(24)) }), async (checkpoint) => {
      expect([...checkpoint.tensors.keys()]).toEqual(['b', 'a'])
      expect([...(await checkpoint.readFloat32('b'))]).toEqual([4, 5, 6, 7])
      expect([...(await checkpoint.readFloat32('a'))]).toEqual([6, 7, 8, 9])
    })
  })

  it('reads what is longer than its window, straight and transposed', async () => {
    const storage = range(700 * 600)
    const straight = await read(float([700, 600], [600, 1], 0, storage.length), bytesOf(storage))
    expect(straight).toEqual(storage)
    const spec = float([600, 700], [1, 600], 0, storage.length)
    const turned = await read(spec, bytesOf(storage))
    expect(turned.every((value, i) => value === (i % 700) * 600 + Math.floor(i / 700))).toBe(true)
  })

  it('reads any view that lies inside, and refuses any that does not', async () => {
    const storage = range(24)
    const dims = fc.array(fc.tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 0, max: 30 })), { maxLength: 4 })
    const property = fc.asyncProperty(dims, fc.integer({ min: 0, max: 30 }), async (dims, offset) => {
      const [shape, strides] = [dims.map(([side]) => side), dims.map(([, stride]) => stride)]
      const spec = float(shape, strides, offset)
      const last = dims.reduce((at, [side, stride]) => at + (side - 1) * stride, offset)
      if (last >= 24) await expect(read(spec, bytesOf(storage))).rejects.toThrow(CheckpointError)
      else expect([...(await read(spec, bytesOf(storage)))]).toEqual(gather(storage, spec))
    })
    await fc.assert(property, { seed: 1, numRuns: 150 })
  })

  it.each([
    ['a negative stride', float([2], [-1], 4)],
    ['a negative side', float([-2], [1])],
    ['a negative offset', float([2], [1], -1)],
    ['a fractional count', { ...float([2], [1]), storageElements: 2 ** 53 }],
    ['more dimensions than strides', float([2, 2], [1])],
    ['a size beyond all memory', float([2 ** 40, 0x7fffffff], [0, 0])],
    ['a size out of one element', float([1_000_000], [0])],
    ['a hidden zero side', float([...new Array(60).fill(2 ** 52), 0, 5], new Array(62).fill(2 ** 52), 99, 24)],
    ['a storage longer than its entry', float([25], [1], 0, 25)],
    ['a storage that is not there', { ...float([2], [1]), key: '9' }],
    ['a key that is a path', { ...float([2], [1]), key: '../../../etc/passwd' }],
  ])('refuses %s', async (name, spec) => {
    if (name === 'a hidden zero side') return expect(await read(spec, bytesOf(range(24)))).toHaveLength(0)
    await expect(read(spec, bytesOf(range(24)))).rejects.toThrow(CheckpointError)
  })
})

describe('dtypes', () => {
  it.each([
    ['DoubleStorage', new Float64Array([1 / 3, -1e300, 1e-50]), [Math.fround(1 / 3), -Infinity, 0]],
    ['LongStorage', new BigInt64Array([-1n, 1n << 40n]), [-1, 2 ** 40]],
    ['IntStorage', new Int32Array([-7, 7]), [-7, 7]],
    ['ShortStorage', new Int16Array([-7, 7]), [-7, 7]],
    ['CharStorage', new Int8Array([-7, 7]), [-7, 7]],
    ['ByteStorage', new Uint8Array([0, 255]), [0, 255]],
    ['BoolStorage', new Uint8Array([0, 1]), [0, 1]],
    ['BFloat16Storage', new Uint16Array([0x3f80, 0xc049, 0x7f80]), [1, -3.140625, Infinity]],
    [
      'HalfStorage',
      new Uint16Array([0x3c00, 0xc248, 0x0001, 0x83ff, 0x7c00]),
      [1, -3.140625, 2 ** -24, -1023 * 2 ** -24, Infinity],
    ],
  ] as [string, ArrayBufferView & { length: number }, number[]][])(
    '%s as float32',
    async (storage, values, expected) => {
      const count = values.length
      const spec = { key: '0', storage, storageElements: count, shape: [count], strides: [1] }
      expect([...(await read(spec, bytesOf(values)))]).toEqual(expected)
    },
  )

  it('widens every fp16 bit pattern exactly', async () => {
    const all = Uint16Array.from({ length: 65536 }, (_, i) => i)
    const spec = { key: '0', storage: 'HalfStorage', storageElements: 65536, shape: [65536], strides: [1] }
    const widened = await read(spec, bytesOf(all))
    for (let half = 0; half < 65536; half++) {
      const [sign, exponent, fraction] = [half >> 15 ? -1 : 1, (half >> 10) & 31, half & 1023]
      const finite = exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15)
      const value = exponent < 31 ? sign * finite : fraction ? NaN : sign * Infinity
      if (!Object.is(widened[half], value)) expect.fail(`fp16 0x${half.toString(16)} became ${widened[half]}`)
    }
  })

  it('gives the raw bytes of a view, made contiguous', async () => {
    const model = dict({ t: tensor({ ...float([2, 2], [1, 2], 0, 4), storage: 'LongStorage' }) })
    const path = torchFile(pickle(dict({ model })), { 0: bytesOf(new BigInt64Array([0n, 1n, 2n, 3n])) })
    await using(path, async (checkpoint) => {
      expect(checkpoint.tensors.get('t')).toEqual({ name: 't', dtype: 'int64', shape: [2, 2] })
      expect(await checkpoint.readRaw('t')).toEqual(bytesOf(new BigInt64Array([0n, 2n, 1n, 3n])))
    })
  })
})

describe('the file', () => {
  const model = dict({ t: tensor(float([4], [1])) })
  const storages = { 0: bytesOf(range(24)) }

  it('may be zip64', async () => {
    expect([...(await read(float([2], [1], 22), bytesOf(range(24)), { zip64: true }))]).toEqual([22, 23])
  })

  it('may be a bare state dict, parameters in it too', async () => {
    const parameter = Buffer.concat([
      op.global('torch._utils', '_rebuild_parameter'),
      op.mark,
      tensor(float([4], [1], 4)),
      op.true,
      op.emptyDict,
      op.tuple,
      op.reduce,
    ])
    await using(torchFile(pickle(dict({ t: parameter })), storages), async (checkpoint) => {
      expect(checkpoint.cfg).toEqual({})
      expect([...(await checkpoint.readFloat32('t'))]).toEqual([4, 5, 6, 7])
    })
  })

  it('gives cfg as plain values, with own keys only', async () => {
    const cfg = dict({ a: dict({ lr: op.float(0.5) }) })
    const hostile = dict(Object.fromEntries([['__proto__', dict({ polluted: op.true })]]))
    await using(torchFile(pickle(dict({ cfg: dict({ hostile, plain: cfg }), model })), storages), async ({ cfg }) => {
      expect(cfg.plain).toMatchObject({ a: { lr: 0.5 } })
      expect(Object.keys(cfg.hostile as object)).toEqual(['__proto__'])
      expect(({} as Record<string, unknown>).polluted).toBeUndefined()
      expect((cfg.hostile as Record<string, unknown>).polluted).toBeUndefined()
    })
  })

  it('prefers args where it is a Namespace', async () => {
    const namespace = Buffer.concat([op.global('argparse', 'Namespace'), op.emptyTuple, op.newObject])
    const args = Buffer.concat([namespace, dict({ arch: op.text('old') }), op.build])
    const cfg = dict({ arch: op.text('new') })
    const open = (args: Buffer) => torchFile(pickle(dict({ args, cfg, model })), storages)
    await using(open(args), async (checkpoint) => expect(checkpoint.cfg).toEqual({ arch: 'old' }))
    await using(open(op.none), async (checkpoint) => expect(checkpoint.cfg).toEqual({ arch: 'new' }))
  })

  it('says so of a name it does not hold', async () => {
    const path = torchFile(pickle(dict({ model })), storages)
    await using(path, (checkpoint) => expect(checkpoint.readRaw('x')).rejects.toThrow('no tensor "x"'))
  })

  it('is refused with a reason where it is damaged or something else', async () => {
    const whole = zip({ 'a/data.pkl': pickle(dict({ model })), 'a/data/0': storages[0] })
    const refusals: [Uint8Array, string][] = [
      [whole.subarray(0, whole.length / 2), 'damaged zip'],
      [Buffer.alloc(0), 'neither'],
      [Buffer.from('<!doctype html><html>'), 'neither'],
      [Buffer.from([0x1f, 0x8b, 8, 0]), 'gunzip'],
      [Buffer.from([0x80, 2, 0x8a, 10]), 'before 1.6'],
      [zip({ 'a/b.txt': Buffer.from('x') }), 'lacks the entry data.pkl'],
      [zip({ 'a/data.pkl': pickle(dict({ model })), 'a/data/0': storages[0] }, { method: 8 }), 'compressed'],
      [zip({ 'a/x': storages[0], 'b/x': storages[0] }), 'twice'],
      [zip({ 'a/data.pkl': pickle(op.emptyList) }), 'no dict'],
      [zip({ 'a/data.pkl': pickle(op.emptyDict) }), 'no `model`'],
      [zip({ 'a/data.pkl': pickle(dict({ model })), 'a/byteorder': Buffer.from('big') }), 'big-endian'],
    ]
    for (const [content, reason] of refusals) {
      await expect(openCheckpoint(tempFile(content))).rejects.toThrow(reason)
      await expect(openCheckpoint(tempFile(content))).rejects.toThrow(CheckpointError)
    }
    await expect(openCheckpoint('/nowhere/model.pt')).rejects.toThrow('Cannot open')
  })
})
