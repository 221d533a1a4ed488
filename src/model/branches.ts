/** The graphs of a bundle, one a modality: inputs, adapter, transformer, projection, outputs. */
import type { Modality } from '../modality.ts'
import type { ExternalTensor } from '../onnx/external-data.ts'
import { GraphBuilder, type Value } from '../onnx/graph-builder.ts'
import { audioAdapter } from './audio-adapter.ts'
import { type ModelConfig, PATCH_SIZE_PX } from './config.ts'
import { projection, type Sequence, transformer } from './encoder.ts'
import { imageAdapter } from './image-adapter.ts'
import { textAdapter } from './text-adapter.ts'

type Weights = ReadonlyMap<string, ExternalTensor>

/** The graph of `modality`; its inputs and outputs are described in `bundle/manifest.ts`. */
export function buildBranchGraph(modality: Modality, config: ModelConfig, weights: Weights): GraphBuilder {
  const g = new GraphBuilder(`onepeace_${modality}`, weights)
  const hidden = transformer(g, ADAPTERS[modality](g, config), modality, config)
  g.output('embedding', projection(g, hidden, modality), 'float32', ['batch', config.embedDim])
  g.output('hidden', hidden, 'float32', ['batch', 'length', config.embedDim])
  return g
}

const ADAPTERS: Record<Modality, (g: GraphBuilder, config: ModelConfig) => Sequence> = {
  text: (g, config) => textAdapter(g, g.input('src_tokens', 'int64', ['batch', 'tokens']), config),
  image: (g, config) => imageAdapter(g, imageInput(g, config), config),
  audio: (g, config) => {
    const waveforms = g.input('src_audios', 'float32', ['batch', 'samples'])
    return audioAdapter(g, waveforms, g.input('audio_padding_masks', 'bool', ['batch', 'length']), config)
  },
}

function imageInput(g: GraphBuilder, config: ModelConfig): Value {
  const sizePx = config.image!.relBucketSize * PATCH_SIZE_PX
  return g.input('src_images', 'float32', ['batch', 3, sizePx, sizePx])
}
