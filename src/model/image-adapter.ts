/**
 * Image adapter: a picture to a sequence of patch tokens with CLS in front, by the hMLP stem. Source: adapter/image.py.
 *
 *   (B, 3, S, S) ─ Conv 4×4/4 ─ channel LN ─ GELU ─ Conv 2×2/2 ─ channel LN ─ GELU ─ Conv 2×2/2 ─ (B, D, r, r)
 *                ─ row-major tokens ─ CLS in front ─ + pos_embed ─ x (B, r²+1, D)
 */
import type { GraphBuilder, Value } from '../onnx/graph-builder.ts'
import type { ModelConfig } from './config.ts'
import type { Sequence } from './encoder.ts'
import { gelu, layerNorm, prependCls } from './operations.ts'
import { relativeBiases } from './relative-bias.ts'

const ADAPTER = 'encoder_wrapper.image_adapter'
/** Name of the int32 (r²+1, r²+1) table in the weights file; the checkpoint's own may be of another size or absent. */
export const IMAGE_BUCKETS = `${ADAPTER}.rp_bucket`

/** `images` float32 (B, 3, S, S), normalised. */
export function imageAdapter(g: GraphBuilder, images: Value, config: ModelConfig): Sequence {
  return g.scope('image_adapter', () => {
    const patches = stem(g, images) // (B, D, r, r)
    const flat = g.op('Reshape', [patches, g.int64([0, 0, -1])]) // (B, D, r²)
    const tokens = g.op('Transpose', [flat], { perm: [0, 2, 1] }) // (B, r², D)
    const withCls = prependCls(g, g.weight(`${ADAPTER}.cls_embedding`), tokens, config.embedDim)
    const x = g.op('Add', [withCls, g.weight(`${ADAPTER}.pos_embed`)]) // (B, r²+1, D)
    return { x, biases: relativeBiases(g, 'image', g.weight(IMAGE_BUCKETS), config.relPosTables) }
  })
}

function stem(g: GraphBuilder, images: Value): Value {
  return g.scope('embed_images', () => {
    const fine = gelu(g, channelNorm(g, patchConv(g, images, 0, 4), 1)) // (B, D/4, S/4, S/4)
    const middle = gelu(g, channelNorm(g, patchConv(g, fine, 3, 2), 4)) // (B, D/4, S/8, S/8)
    return patchConv(g, middle, 6, 2) // (B, D, S/16, S/16)
  })
}

/** A convolution whose stride equals its kernel: patches do not overlap. */
function patchConv(g: GraphBuilder, x: Value, index: number, side: number): Value {
  const path = `${ADAPTER}.embed_images.${index}`
  return g.scope(`${index}`, () =>
    g.op('Conv', [x, g.weight(`${path}.weight`), g.weight(`${path}.bias`)], {
      kernel_shape: [side, side],
      strides: [side, side],
    }),
  )
}

/** LayerNorm over the channels of each pixel, (B, C, h, w). */
function channelNorm(g: GraphBuilder, x: Value, index: number): Value {
  return g.scope(`${index}`, () => {
    const last = g.op('Transpose', [x], { perm: [0, 2, 3, 1] }) // (B, h, w, C)
    const normed = layerNorm(g, last, `${ADAPTER}.embed_images.${index}.layer_norm`)
    return g.op('Transpose', [normed], { perm: [0, 3, 1, 2] })
  })
}
