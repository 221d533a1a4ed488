/**
 * Image adapter: a picture to a sequence of patch tokens with CLS in front, by the hMLP stem. Source: adapter/image.py.
 *
 *   (B, 3, S, S) ─ Conv 4×4/4 ─ channel LN ─ GELU ─ Conv 2×2/2 ─ channel LN ─ GELU ─ Conv 2×2/2 ─ (B, D, r, r)
 *                ─ row-major tokens ─ CLS in front ─ + pos_embed ─ x (B, r²+1, D)
 */
import type { GraphBuilder, Value } from '../onnx/graph-builder.ts'
import type { ModelConfig } from './config.ts'
import type { Sequence } from './joint-sequence.ts'
import { channelNorm, gelu, prependCls, withType } from './operations.ts'
import { relativeBiases } from './relative-bias.ts'

const ADAPTER = 'encoder_wrapper.image_adapter'
/** Name of the int32 (r²+1, r²+1) table in the weights file; the checkpoint's own may be of another size or absent. */
export const IMAGE_BUCKETS = `${ADAPTER}.rp_bucket`

/** What the stem makes on its way to patches. */
export interface StemMaps {
  /** (B, D/4, S/4, S/4) */
  stride4: Value
  /** (B, D/4, S/8, S/8) */
  stride8: Value
}

export interface ImageSequence extends Sequence {
  stem: StemMaps
}

/** `images` float32 (B, 3, S, S), normalised; `second`: the other picture of a pair. */
export function imageAdapter(
  g: GraphBuilder,
  images: Value,
  config: ModelConfig,
  { second } = { second: false },
): ImageSequence {
  return g.scope('image_adapter', () => {
    const { patches, ...maps } = stem(g, images) // (B, D, r, r)
    const flat = g.op('Reshape', [patches, g.int64([0, 0, -1])]) // (B, D, r²)
    const tokens = g.op('Transpose', [flat], { perm: [0, 2, 1] }) // (B, r², D)
    const withCls = prependCls(g, g.weight(`${ADAPTER}.cls_embedding`), tokens, config.embedDim)
    const placed = g.op('Add', [withCls, g.weight(`${ADAPTER}.pos_embed`)]) // (B, r²+1, D)
    let x = withType(g, placed, ADAPTER, config.image!)
    // The second picture of a pair bears its mark in addition (image.py).
    if (second && config.image!.typeEmbedding) x = g.op('Add', [x, g.weight(`${ADAPTER}.type_embedding_2`)])
    return { x, stem: maps, biases: relativeBiases(g, 'image', g.weight(IMAGE_BUCKETS), config.relPosTables) }
  })
}

function stem(g: GraphBuilder, images: Value): StemMaps & { patches: Value } {
  const norm = (x: Value, index: number) => channelNorm(g, x, `${ADAPTER}.embed_images.${index}.layer_norm`)
  return g.scope('embed_images', () => {
    const stride4 = gelu(g, norm(patchConv(g, images, 0, 4), 1)) // (B, D/4, S/4, S/4)
    const stride8 = gelu(g, norm(patchConv(g, stride4, 3, 2), 4)) // (B, D/4, S/8, S/8)
    return { stride4, stride8, patches: patchConv(g, stride8, 6, 2) } // (B, D, S/16, S/16)
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
