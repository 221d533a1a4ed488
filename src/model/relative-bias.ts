/**
 * Relative position bias of a layer: bias[h, q, k] = rel_pos_table[bucket(q, k), h]. The buckets are the same for all
 * layers; a layer without a table of its own shares table 0.
 */
import type { Modality } from '../modality.ts'
import type { GraphBuilder, Value } from '../onnx/graph-builder.ts'
import { sizeOf } from './operations.ts'
import { type ClsBuckets, MAX_DISTANCE, tokenBuckets, tokenClsBuckets } from './positions.ts'

/** One bias (1, H, T, T) a relative table, from `buckets` int (T, T). */
export function relativeBiases(g: GraphBuilder, modality: Modality, buckets: Value, tables: number): Value[] {
  return Array.from({ length: tables }, (_, index) =>
    g.scope(`rel_pos_table_list.${index}`, () => {
      const table = g.weight(`encoder_wrapper.${modality}_adapter.rel_pos_table_list.${index}.weight`) // (rows, H)
      const rows = g.op('Gather', [table, buckets], { axis: 0 }) // (T, T, H)
      const byHead = g.op('Transpose', [rows], { perm: [2, 0, 1] }) // (H, T, T)
      return g.op('Unsqueeze', [byHead, g.int64([0])]) // (1, H, T, T)
    }),
  )
}

/**
 * Buckets int64 (T, T) of the sequence `x` (B, T, D), position 0 being CLS.
 *
 *   Range(T) ─┬─ column q ─┐
 *             └─ row k ────┴─ q - k ─ + 1023 ─ Gather(bucket of each distance) ─ Where(CLS row, column, corner)
 */
export function tokenBucketTable(g: GraphBuilder, x: Value, bucketSize: number): Value {
  return g.scope('rp_bucket', () => {
    const length = g.op('Squeeze', [sizeOf(g, x, 1), g.int64([0])])
    const positions = g.op('Range', [g.int64([0], []), length, g.int64([1], [])]) // (T)
    const query = g.op('Unsqueeze', [positions, g.int64([1])]) // (T, 1)
    const key = g.op('Unsqueeze', [positions, g.int64([0])]) // (1, T)
    const distance = g.op('Add', [g.op('Sub', [query, key]), g.int64([MAX_DISTANCE], [])]) // (T, T)
    const buckets = g.op('Gather', [g.int64([...tokenBuckets(bucketSize)]), distance], { axis: 0 })
    return overrideCls(g, buckets, query, key, tokenClsBuckets(bucketSize))
  })
}

function overrideCls(g: GraphBuilder, buckets: Value, query: Value, key: Value, cls: ClsBuckets): Value {
  const zero = g.int64([0], [])
  const queryIsCls = g.op('Equal', [query, zero])
  const keyIsCls = g.op('Equal', [key, zero])
  const withRow = g.op('Where', [queryIsCls, g.int64([cls.queryCls], []), buckets])
  const withColumn = g.op('Where', [keyIsCls, g.int64([cls.keyCls], []), withRow])
  return g.op('Where', [g.op('And', [queryIsCls, keyIsCls]), g.int64([cls.clsToCls], []), withColumn])
}
