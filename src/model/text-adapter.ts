/**
 * Text adapter: token ids to a sequence with CLS in front. Source: adapter/text.py:111-164.
 *
 *   src_tokens (B, T) ─ embed_tokens ─ CLS in front ─ + embed_positions[0..T] ─ x (B, T+1, D)
 *                    └─ == pad ─ padding mask (B, T+1)
 */
import type { GraphBuilder, Value } from '../onnx/graph-builder.ts'
import type { ModelConfig } from './config.ts'
import type { Sequence } from './joint-sequence.ts'
import { prependCls, sizeOf, withType } from './operations.ts'
import { tableRows } from './product.ts'
import { relativeBiases, tokenBucketTable } from './relative-bias.ts'

/** fairseq's dictionary: <s> 0, <pad> 1, </s> 2, <unk> 3. */
const PAD_ID = 1

/** `tokens` int64 (B, T), right-padded with 1. */
export function textAdapter(g: GraphBuilder, tokens: Value, config: ModelConfig): Sequence {
  const adapter = 'encoder_wrapper.text_adapter'
  return g.scope('text_adapter', () => {
    const words = tableRows(g, `${adapter}.embed_tokens.weight`, tokens) // (B, T, D)
    const withCls = prependCls(g, g.weight(`${adapter}.cls_embedding`), words, config.embedDim) // (B, T+1, D)
    const positions = g.op('Slice', [
      g.weight(`${adapter}.embed_positions.weight`),
      g.int64([0]),
      sizeOf(g, withCls, 1),
      g.int64([0]),
    ]) // (T+1, D): pads count positions too
    const placed = g.op('Add', [withCls, positions])
    const x = withType(g, placed, adapter, config.text!)
    const buckets = tokenBucketTable(g, x, config.text!.bucketSize)
    return { x, padding: paddingMask(g, tokens), biases: relativeBiases(g, 'text', buckets, config.relPosTables) }
  })
}

/** bool (B, T+1): true where a token is padding; CLS, standing in as id 0, never is. */
function paddingMask(g: GraphBuilder, tokens: Value): Value {
  const withCls = g.op('Pad', [tokens, g.int64([0, 1, 0, 0]), g.int64([0], [])])
  return g.op('Equal', [withCls, g.int64([PAD_ID], [])])
}
