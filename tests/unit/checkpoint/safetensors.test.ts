import { describe, expect, it } from 'vitest'
import { CheckpointError, openCheckpoint } from '../../../src/checkpoint/checkpoint.ts'
import { bytesOf, safetensorsFile } from './builders.ts'

const data = bytesOf(new Float32Array([1, 2, 3, 4, 5, 6]))
const f32 = (shape: unknown, from: unknown, to: unknown) => ({ dtype: 'F32', shape, data_offsets: [from, to] })

describe('a safetensors file', () => {
  it('gives tensors in the order of their bytes, and cfg from its metadata', async () => {
    const cfg = { model: { encoder: { layers: 3 } } }
    const header = {
      b: { dtype: 'BF16', shape: [2], data_offsets: [16, 20] },
      a: f32([2, 2], 0, 16),
      empty: f32([0, 4], 16, 16),
      __metadata__: { cfg: JSON.stringify(cfg) },
    }
    const checkpoint = await openCheckpoint(safetensorsFile(header, data))
    expect(checkpoint.cfg).toEqual(cfg)
    expect([...checkpoint.tensors.keys()].filter((name) => name !== 'empty')).toEqual(['a', 'b'])
    expect(await checkpoint.readFloat32('a')).toEqual(new Float32Array([1, 2, 3, 4]))
    expect(await checkpoint.readFloat32('empty')).toHaveLength(0)
    expect(await checkpoint.readRaw('b')).toEqual(data.slice(16, 20))
    expect([...(await checkpoint.readFloat32('b'))]).toEqual([0, 5])
    await checkpoint.close()
  })

  it.each([
    ['a place beyond the file', { a: f32([2, 4], 0, 32) }, 'beyond'],
    ['a place far beyond the file', { a: f32([1], 2 ** 52, 2 ** 52 + 4) }, 'beyond'],
    ['tensors over each other', { a: f32([4], 0, 16), b: f32([2], 12, 20) }, 'over another'],
    ['a size that is not its shape', { a: f32([2], 0, 16) }, 'not its shape'],
    ['a place that ends before it begins', { a: f32([2], 16, 8) }, 'not its shape'],
    ['a negative side', { a: f32([-2, -2], 0, 16) }, 'malformed'],
    ['a fractional side', { a: f32([0.5], 0, 2) }, 'malformed'],
    ['a shape that is no list', { a: f32('4', 0, 16) }, 'malformed'],
    ['an unknown dtype', { a: { ...f32([4], 0, 16), dtype: 'toString' } }, 'toString'],
    ['a tensor that is null', { a: null }, 'not supported'],
    ['a cfg that is no JSON', { __metadata__: { cfg: 'x' } }, 'json.dumps'],
    ['a header that is no JSON', '{"a":', 'not JSON'],
  ])('is refused with %s', async (_, header, reason) => {
    const opened = openCheckpoint(safetensorsFile(header, data))
    await expect(opened).rejects.toThrow(CheckpointError)
    await expect(opened).rejects.toThrow(reason)
  })

  it.each([2 ** 40, 99_000_000, Number.MAX_SAFE_INTEGER])('is refused with a header of %d bytes', async (length) => {
    await expect(openCheckpoint(safetensorsFile({ a: f32([4], 0, 16) }, data, length))).rejects.toThrow(
      'claims a header',
    )
  })
})
