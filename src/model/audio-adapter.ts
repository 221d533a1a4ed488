/**
 * Audio adapter: a waveform to a sequence of frames with CLS in front. Source: adapter/audio.py:150-214.
 *
 *   (B, n) ─ 7 × [Conv1d ─ LN over channels ─ GELU] ─ LN ─ Linear ─ frames (B, T, D) ─┬──────────────────┐
 *                                                                                     └ conv positions ──┴ + ─ x
 *
 * Padding is not neutral here: neither the convolutions nor their positions mask padded frames, so a padded clip differs
 * from the same clip alone. Batches that must not depend on their members hold clips of one length.
 */
import type { GraphBuilder, Value } from '../onnx/graph-builder.ts'
import type { ConvLayer, ModelConfig } from './config.ts'
import type { Sequence } from './joint-sequence.ts'
import { gelu, layerNorm, linear, plainLayerNorm, prependCls, withType } from './operations.ts'
import { relativeBiases, tokenBucketTable } from './relative-bias.ts'
import { windowProduct } from './windows.ts'

const ADAPTER = 'encoder_wrapper.audio_adapter'

/** `waveforms` float32 (B, n) at 16 kHz; `padding` bool (B, T+1), position 0 being CLS. */
export function audioAdapter(g: GraphBuilder, waveforms: Value, padding: Value, config: ModelConfig): Sequence {
  const { embedDim: D, relPosTables } = config
  const audio = config.audio!
  return g.scope('audio_adapter', () => {
    const frames = frontEnd(g, waveforms, audio.convLayers) // (B, T, D)
    const positions = convPositions(g, frames, config) // (B, T, D)
    const content = prependCls(g, g.weight(`${ADAPTER}.cls_embedding`), frames, D)
    const placed = g.op('Add', [content, prependCls(g, g.weight(`${ADAPTER}.cls_pos_embed`), positions, D)])
    const x = withType(g, placed, ADAPTER, audio) // (B, T+1, D)
    const buckets = tokenBucketTable(g, x, audio.bucketSize)
    return { x, padding, biases: relativeBiases(g, 'audio', buckets, relPosTables) }
  })
}

function frontEnd(g: GraphBuilder, waveforms: Value, convLayers: readonly ConvLayer[]): Value {
  return g.scope('embed_audios', () => {
    let frames = g.op('Unsqueeze', [waveforms, g.int64([2])]) // (B, n, 1)
    for (const [index, layer] of convLayers.entries()) frames = convLayer(g, frames, index, layer) // (B, t, C)
    return linear(g, layerNorm(g, frames, `${ADAPTER}.embed_audios.2`), `${ADAPTER}.embed_audios.3`) // (B, T, D)
  })
}

/** (B, t, C) → (B, t', C') */
function convLayer(g: GraphBuilder, frames: Value, index: number, { kernel, stride }: ConvLayer): Value {
  const path = `${ADAPTER}.embed_audios.0.conv_layers.${index}`
  return g.scope(`conv_layers.${index}`, () => {
    const conv = windowProduct(g, frames, `${path}.0.weight`, { kernel, stride })
    return gelu(g, layerNorm(g, conv, `${path}.2.1`))
  })
}

/** Positions from the frames themselves: `convPosDepth` grouped convolutions in a row, each with a plain LN and GELU. */
function convPositions(g: GraphBuilder, frames: Value, config: ModelConfig): Value {
  const { convPosDepth, convPosKernel, convPosGroups } = config.audio!
  const pad = Math.floor(convPosKernel / 2)
  // An even kernel would give one frame too many, which the reference drops at the end: the same as padding one less.
  const padEnd = convPosKernel % 2 === 0 ? pad - 1 : pad
  let x = frames // (B, T, D)
  for (let block = 1; block <= convPosDepth; block++) {
    const path = `${ADAPTER}.embed_positions.${block}.0`
    x = g.scope(`embed_positions.${block}`, () => {
      const conv = g.op('Conv', [channelsFirst(g, x), g.weight(`${path}.weight`), g.weight(`${path}.bias`)], {
        kernel_shape: [convPosKernel],
        pads: [pad, padEnd],
        group: convPosGroups,
      })
      return gelu(g, plainLayerNorm(g, channelsLast(g, conv), config.embedDim))
    })
  }
  return x
}

/** Both are one transposition of (B, T, C) and (B, C, T); two names say which way. */
const channelsFirst = (g: GraphBuilder, x: Value): Value => g.op('Transpose', [x], { perm: [0, 2, 1] })
const channelsLast = channelsFirst
