/**
 * `--precision auto`: the precision for the machine that converts, from figures in docs/precision.md.
 *
 *   GPU   fp16                        its arithmetic is fast in halves
 *   CPU   fp32 up to 1 GB of weights  exact, and fast enough
 *         int8                        3 times the speed of fp32 and a quarter of the memory
 *         int4                        where int8 would take more than half the memory
 */
import type { Precision } from '../bundle/manifest.ts'

export const DEVICES = ['cpu', 'gpu'] as const
export type Device = (typeof DEVICES)[number]

export interface Machine {
  device: Device
  /** Memory that a process may have. */
  memoryBytes: number
}

const MOST_FP32_BYTES = 1e9
/** Of the memory: the rest is for activations, media, the vector store and whatever else runs. */
const MOST_MEMORY_SHARE = 0.5

/** @param parameters values of all tensors that go into the bundle */
export function autoPrecision(parameters: number, { device, memoryBytes }: Machine): Precision {
  if (device === 'gpu') return 'fp16'
  if (4 * parameters <= Math.min(MOST_FP32_BYTES, MOST_MEMORY_SHARE * memoryBytes)) return 'fp32'
  return parameters <= MOST_MEMORY_SHARE * memoryBytes ? 'int8' : 'int4'
}
