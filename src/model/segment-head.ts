/**
 * The segmentation head, our own: the stem of the image adapter run backwards. Each step doubles the side and adds the
 * stem's map of that side, so that edges stay where the pixels have them. The same in PyTorch: training/onepeace/heads.py.
 *
 *   image tokens (B, D, g, g) ─ up.0 ─ + stem at stride 8 ─ norm.0 ─ GELU ─ up.1 ─ + stem at stride 4 ─ norm.1 ─ GELU
 *                             ─ mix 3×3 ─ GELU ─ classifier 1×1 ─ logits (B, N, 4g, 4g)
 */
import type { GraphBuilder, Value } from '../onnx/graph-builder.ts'
import type { ModelConfig } from './config.ts'
import type { StemMaps } from './image-adapter.ts'
import { channelNorm, gelu } from './operations.ts'

const HEAD = 'segment_head'

/** `hidden` (B, g²+1, D) after the final norm, CLS at position 0 → logits (B, N, 4g, 4g). */
export function segmentHead(g: GraphBuilder, hidden: Value, stem: StemMaps, config: ModelConfig): Value {
  const { embedDim: D, image } = config
  const side = image!.relBucketSize
  return g.scope(HEAD, () => {
    const tokens = g.op('Slice', [hidden, g.int64([1]), g.int64([side * side + 1]), g.int64([1])]) // (B, g², D)
    const flat = g.op('Transpose', [tokens], { perm: [0, 2, 1] }) // (B, D, g²)
    let x = g.op('Reshape', [flat, g.int64([0, D, side, side])]) // (B, D, g, g)
    for (const [step, skip] of [stem.stride8, stem.stride4].entries()) {
      const doubled = g.op('ConvTranspose', [x, ...weightAndBias(g, `up.${step}`)], {
        kernel_shape: [2, 2],
        strides: [2, 2],
      })
      x = gelu(g, channelNorm(g, g.op('Add', [doubled, skip]), `${HEAD}.norm.${step}`)) // (B, D/4, 2g, 2g), then 4g
    }
    const mixed = g.op('Conv', [x, ...weightAndBias(g, 'mix')], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] })
    return g.op('Conv', [gelu(g, mixed), ...weightAndBias(g, 'classifier')], { kernel_shape: [1, 1] })
  })
}

const weightAndBias = (g: GraphBuilder, name: string): Value[] => [
  g.weight(`${HEAD}.${name}.weight`),
  g.weight(`${HEAD}.${name}.bias`),
]
