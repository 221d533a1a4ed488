import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type EncodeTask, encode } from '../../../src/converter/encode.ts'
import { EncoderThread } from '../../../src/converter/encoder-thread.ts'

let thread: EncoderThread
beforeEach(() => {
  thread = new EncoderThread()
})
afterEach(() => thread.close())

/** A matrix that is large enough to be encoded in the thread. */
const SHAPE = [300, 320]
function matrix(as: EncodeTask['as']): EncodeTask {
  const values = Float32Array.from({ length: 300 * 320 }, (_, i) => Math.sin(i))
  return { role: 'matrix', shape: SHAPE, as, values }
}

describe('encoding beside the thread that reads and writes', () => {
  it.each([
    { kind: 'floats' },
    { kind: 'halves' },
    { kind: 'rows' },
    { kind: 'blocks', bits: 4, size: 32 },
  ] as EncodeTask['as'][])('gives what encoding gives, as $kind', async (as) => {
    expect(await thread.encode(matrix(as))).toEqual(encode(matrix(as)))
  })

  it('moves the values of a large tensor to the thread', async () => {
    const task = matrix({ kind: 'rows' })
    await thread.encode(task)
    expect(task.values).toHaveLength(0)
  })

  it('says that a value has no half as the thread said it', async () => {
    const task = matrix({ kind: 'halves' })
    task.values[7] = 1e6
    await expect(thread.encode(task)).rejects.toThrow(RangeError)
  })
})
