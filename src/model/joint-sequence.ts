/**
 * Several sequences as one, as in the paper's vision–language and audio–language forward: text tokens, then media tokens.
 * Source: transformer_encoder.py:74-236.
 *
 *   x:     [text | media]              bias:  text bias │ 0            + -inf in the columns of padded keys
 *   padded positions are 0                    ──────────┼───────────
 *                                             0         │ media bias
 */
import { type GraphBuilder, NO_INPUT, type Value } from '../onnx/graph-builder.ts'
import { sizeOf } from './operations.ts'

/** What an adapter makes of an input. T counts the CLS position. */
export interface Sequence {
  /** float32 (B, T, D) */
  x: Value
  /** bool (B, T), true = padding; absent where a modality has none. */
  padding?: Value
  /** One bias (1, H, T, T) for all layers, or one a layer. */
  biases: readonly Value[]
}

export interface JointSequence {
  /** float32 (B, T, D), T the sum of the parts' */
  x: Value
  /** (1 or B, H, T, T), one for all layers or one a layer. */
  biases: readonly Value[]
  /** (B, T, …) to the parts' (B, T_i, …). */
  split: (x: Value) => Value[]
  /** The reverse of `split`. */
  join: (parts: readonly Value[]) => Value
}

/** One sequence, or two of equal batch. */
export function joinSequences(g: GraphBuilder, sequences: readonly Sequence[]): JointSequence {
  const join = (parts: readonly Value[]) => (parts.length === 1 ? parts[0]! : g.op('Concat', parts, { axis: 1 }))
  const keys = keyBias(g, sequences, join)
  const biases = sequences[0]!.biases.map((_, table) => {
    const own = sequences.map((sequence) => sequence.biases[table]!)
    const bias = own.length === 1 ? own[0]! : blockDiagonal(g, own[0]!, own[1]!)
    return keys ? g.op('Add', [bias, keys]) : bias
  })
  return { x: join(sequences.map((sequence) => zeroPadding(g, sequence))), biases, split: splitter(g, sequences), join }
}

function zeroPadding(g: GraphBuilder, { x, padding }: Sequence): Value {
  return padding ? g.op('Where', [g.op('Unsqueeze', [padding, g.int64([2])]), g.scalar(0), x]) : x
}

/** (B, 1, 1, T): -inf where a key is padding, 0 elsewhere; nothing if no part can have padding. */
function keyBias(g: GraphBuilder, sequences: readonly Sequence[], join: JointSequence['join']): Value | undefined {
  if (sequences.every(({ padding }) => padding === undefined)) return undefined
  const keys = sequences.map(({ x, padding }) =>
    padding
      ? g.op('Where', [padding, g.scalar(Number.NEGATIVE_INFINITY), g.scalar(0)])
      : g.op('ConstantOfShape', [g.op('Shape', [x], { start: 0, end: 2 })]),
  ) // (B, T_i)
  return g.op('Unsqueeze', [join(keys), g.int64([1, 2])])
}

/** (1, H, S, S) and (1, H, T, T) → (1, H, S+T, S+T), zero where a token of one looks at the other. */
function blockDiagonal(g: GraphBuilder, first: Value, second: Value): Value {
  const columns = g.int64([3])
  const [s, t] = [sizeOf(g, first, 3), sizeOf(g, second, 3)]
  const after = g.op('Concat', [g.int64([0]), t], { axis: 0 })
  const before = g.op('Concat', [s, g.int64([0])], { axis: 0 })
  const top = g.op('Pad', [first, after, NO_INPUT, columns]) // (1, H, S, S+T)
  const bottom = g.op('Pad', [second, before, NO_INPUT, columns]) // (1, H, T, S+T)
  return g.op('Concat', [top, bottom], { axis: 2 })
}

function splitter(g: GraphBuilder, sequences: readonly Sequence[]): JointSequence['split'] {
  if (sequences.length === 1) return (x) => [x]
  const seam = sizeOf(g, sequences[0]!.x, 1)
  return (x) => [
    g.op('Slice', [x, g.int64([0]), seam, g.int64([1])]),
    g.op('Slice', [x, seam, g.int64([Number.MAX_SAFE_INTEGER]), g.int64([1])]),
  ]
}
