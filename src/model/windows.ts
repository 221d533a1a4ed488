/**
 * A convolution without padding over time as one product: frames stay (B, t, C), which LayerNorm and GELU want, and nothing is
 * transposed. A window of k frames is cut into runs of `stride` frames, which lie one after another in memory, and what is left.
 *
 *   k = 3, stride 2:   frames 0 1 2 3 4 5 …      windows [0 1|2] [2 3|4] [4 5|6] …
 *     run 0: frames 0…2t as they are, two to a row (B, t, 2C) ─┐
 *     frame 2 of each window: every second one      (B, t, C) ─┴ Concat ─ (B, t, 3C) ─ · W
 */
import type { GraphBuilder, Value } from '../onnx/graph-builder.ts'
import { sizeOf } from './operations.ts'
import { product } from './product.ts'

interface Window {
  kernel: number
  stride: number
}

/** (B, n, C) times the stored matrix `name` (k · C, C'), rows (tap, channel) → (B, t, C'), t = floor((n - k) / stride) + 1. */
export function windowProduct(g: GraphBuilder, frames: Value, name: string, window: Window): Value {
  return product(g, windows(g, frames, window), name)
}

/** (B, n, C) → (B, t, k · C) */
function windows(g: GraphBuilder, frames: Value, { kernel, stride }: Window): Value {
  const axis = g.int64([1])
  const count = windowCount(g, frames, kernel, stride)
  const span = g.op('Mul', [count, g.int64([stride])]) // frames from the first of a run to its last
  const cut = (first: number, step: number) =>
    g.op('Slice', [frames, g.int64([first]), g.op('Add', [span, g.int64([first])]), axis, g.int64([step])])
  const shape = g.op('Concat', [sizeOf(g, frames, 0), count, g.int64([-1])], { axis: 0 })
  const parts: Value[] = []
  for (let tap = 0; tap < kernel; ) {
    const isRun = tap + stride <= kernel
    parts.push(isRun ? g.op('Reshape', [cut(tap, 1), shape]) : cut(tap, stride))
    tap += isRun ? stride : 1
  }
  return parts.length === 1 ? parts[0]! : g.op('Concat', parts, { axis: 2 })
}

/** int64 (1) */
function windowCount(g: GraphBuilder, frames: Value, kernel: number, stride: number): Value {
  const room = g.op('Sub', [sizeOf(g, frames, 1), g.int64([kernel])])
  return g.op('Add', [g.op('Div', [room, g.int64([stride])]), g.int64([1])])
}
