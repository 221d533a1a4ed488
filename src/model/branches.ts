/** The embedding graphs of a bundle, one a modality: inputs, adapter, transformer, projection, outputs. */
import type { Modality } from '../modality.ts'
import { GraphBuilder, type Weights } from '../onnx/graph-builder.ts'
import { audioAdapter } from './audio-adapter.ts'
import { type ModelConfig, PATCH_SIZE_PX } from './config.ts'
import { projection, transformer } from './encoder.ts'
import { type ImageSequence, imageAdapter } from './image-adapter.ts'
import type { Sequence } from './joint-sequence.ts'
import { textAdapter } from './text-adapter.ts'

/** The graph of `modality`; its inputs and outputs are described in `bundle/manifest.ts`. */
export function buildBranchGraph(modality: Modality, config: ModelConfig, weights: Weights): GraphBuilder {
  const g = new GraphBuilder(`onepeace_${modality}`, weights)
  const [hidden] = transformer(g, [{ modality, sequence: readInput(g, modality, config) }], config)
  g.output('embedding', projection(g, hidden!, modality), 'float32', ['batch', config.embedDim])
  g.output('hidden', hidden!, 'float32', ['batch', 'length', config.embedDim])
  return g
}

/** Declares the graph inputs of a modality and runs its adapter on them. */
export function readInput(g: GraphBuilder, modality: Modality, config: ModelConfig): Sequence {
  if (modality === 'text') return textAdapter(g, g.input('src_tokens', 'int64', ['batch', 'tokens']), config)
  if (modality === 'image') return readImage(g, config)
  const waveforms = g.input('src_audios', 'float32', ['batch', 'samples'])
  return audioAdapter(g, waveforms, g.input('audio_padding_masks', 'bool', ['batch', 'length']), config)
}

/** As `readInput`; `second` is the other picture of a pair. */
export function readImage(g: GraphBuilder, config: ModelConfig, { second } = { second: false }): ImageSequence {
  const sizePx = config.image!.relBucketSize * PATCH_SIZE_PX
  const images = g.input(second ? 'src_images_2' : 'src_images', 'float32', ['batch', 3, sizePx, sizePx])
  return imageAdapter(g, images, config, { second })
}
