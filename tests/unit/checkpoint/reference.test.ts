/** The checkpoints that the official code wrote (set A): every file is read, and its kinds agree with each other. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { openCheckpoint } from '../../../src/checkpoint/checkpoint.ts'
import { referenceDir } from '../../reference.ts'
import { tempFile } from './builders.ts'

const setA = join(referenceDir ?? '', 'setA')
const entries = referenceDir
  ? Object.entries(
      JSON.parse(readFileSync(join(setA, 'manifest.json'), 'utf8')).checkpoints as Record<
        string,
        { file: string; dtype: string; tensors: number; model_type: string; head_type: string }
      >,
    )
  : []
const files = entries.filter(([, { file }]) => file.endsWith('.pt'))
const path = (name: string) => join(setA, 'ckpt', `${name}.pt`)

describe.skipIf(!referenceDir)('the reference checkpoints', () => {
  it.each(files)('%s holds what the manifest says', async (_, { file, dtype, tensors, model_type, head_type }) => {
    const checkpoint = await openCheckpoint(join(setA, file))
    const names = [...checkpoint.tensors.keys()]
    // Set A leaves out the derivable rp_bucket of text and audio (spec §15).
    const left = ['text', 'audio'].filter((kind) => names.some((name) => name.includes(`wrapper.${kind}_adapter`)))
    expect(names.length + left.length).toBe(tensors)
    expect(checkpoint.cfg).toMatchObject({ model: { _name: model_type }, task: { head_type } })
    for (const { name, dtype: stored } of checkpoint.tensors.values()) {
      expect(`torch.${stored}`).toBe(
        name.endsWith('rp_bucket') || name.endsWith('position_idx') ? 'torch.int64' : dtype,
      )
      const values = await checkpoint.readFloat32(name)
      expect(values.every(Number.isFinite)).toBe(true)
    }
    await checkpoint.close()
  })

  it('with their full buffers are the same, and two int64 buffers more', async () => {
    const whole = await openCheckpoint(
      tempFile(gunzipSync(readFileSync(join(setA, 'ckpt/pretrain.fullbuffers.pt.gz')))),
    )
    const small = await openCheckpoint(path('pretrain'))
    expect(whole.tensors.size).toBe(173)
    expect(whole.cfg).toEqual(small.cfg)
    for (const name of small.tensors.keys()) expect(await whole.readRaw(name)).toEqual(await small.readRaw(name))
    const more = [...whole.tensors.values()].filter(({ name }) => !small.tensors.has(name))
    expect(more.map(({ dtype, shape }) => [dtype, shape])).toEqual(new Array(2).fill(['int64', [1024, 1024]]))
    await Promise.all([whole.close(), small.close()])
  })

  it.each([
    ['fp16', 10],
    ['bf16', 7],
  ])('in %s are the fp32 values rounded to it', async (kind, fractionBits) => {
    const [narrow, wide] = await Promise.all([
      openCheckpoint(path(`pretrain_${kind}`)),
      openCheckpoint(path('pretrain')),
    ])
    expect([...narrow.tensors.keys()]).toEqual([...wide.tensors.keys()])
    for (const name of wide.tensors.keys()) {
      const [actual, expected] = [await narrow.readFloat32(name), await wide.readFloat32(name)]
      const unit = 2 ** -(fractionBits + 1)
      // Below 2^-14 fp16 has fixed steps of 2^-24.
      const off = actual.findIndex(
        (value, i) => Math.abs(value - expected[i]!) > Math.max(Math.abs(expected[i]!) * unit, 2 ** -25),
      )
      expect(off, `${name}[${off}]`).toBe(-1)
    }
    await Promise.all([narrow.close(), wide.close()])
  })
})
