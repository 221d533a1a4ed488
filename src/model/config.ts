/**
 * The configuration of a ONE-PEACE checkpoint, inferred from its tensors; `cfg` is asked only for what shapes cannot
 * tell: which branches are meant (head type), the picture size and the strides of the audio front end.
 * Source: the architecture and checkpoint layout of OFA-Sys/ONE-PEACE (`unify_model_config.py`, `one_peace_retrieval.py`).
 */
import { MODALITIES, type Modality } from '../modality.ts'
import { type HeadConfig, hasHead, inferHead, isSegmenter } from './head-config.ts'
import { type Cfg, ModelConfigError, Shapes, section, type TensorShape } from './shapes.ts'

export interface ConvLayer {
  channels: number
  kernel: number
  stride: number
}

export interface ModelConfig {
  /** D */
  embedDim: number
  /** F, the width inside a GeGLU */
  ffnEmbedDim: number
  layers: number
  /** H */
  attentionHeads: number
  modalities: readonly Modality[]
  /** One relative position table for all layers, or one a layer. */
  relPosTables: number
  text?: {
    vocabSize: number
    maxPositions: number
    bucketSize: number
    /** A vector on every token that says it is text (`add_type_embedding`). */
    typeEmbedding: boolean
  }
  image?: {
    /** Channels of the hMLP stem, D/4. */
    stemChannels: number
    /** b: side of the grid of `pos_embed` in the file. */
    bucketSize: number
    /** Side of the grid that the relative table in the file was made for. */
    storedRelBucketSize: number
    /** r: side of the grid of the model input, image side / 16. */
    relBucketSize: number
    typeEmbedding: boolean
  }
  audio?: {
    convLayers: readonly ConvLayer[]
    convPosDepth: number
    convPosKernel: number
    convPosGroups: number
    bucketSize: number
    typeEmbedding: boolean
  }
  /** Of a fine-tuned checkpoint, which does not embed; the others have none. */
  head?: HeadConfig
}

export const PATCH_SIZE_PX = 16
/** The official strides, which the hub uses whatever `cfg` says (hub_interface.py). */
const DEFAULT_STRIDES = [5, 2, 2, 2, 2, 2, 2]
const HEAD_TYPES: Record<string, readonly Modality[]> = {
  text: ['text'],
  image: ['image'],
  audio: ['audio'],
  vl: ['text', 'image'],
  al: ['text', 'audio'],
  val: MODALITIES,
}

const CLS_EMBEDDING = (modality: Modality): string => `encoder_wrapper.${modality}_adapter.cls_embedding`
const PROJECTION = (modality: Modality): string => `${modality}_proj.weight`
const TYPE_EMBEDDING = (modality: Modality): string => `encoder_wrapper.${modality}_adapter.type_embedding`

export interface ConfigChoices {
  /** Side of the model input, a multiple of 16; default: what the checkpoint was made for. */
  imageSizePx?: number | undefined
  /** Only these of the checkpoint's branches; default: all. */
  branches?: readonly Modality[] | undefined
}

/** @throws ModelConfigError */
export function inferConfig(tensors: Iterable<TensorShape>, cfg: Cfg, choices: ConfigChoices = {}): ModelConfig {
  const { imageSizePx, branches } = choices
  const shapes = new Shapes(tensors)
  const modalities = chosen(inferModalities(shapes, cfg), branches)
  const first = modalities[0]
  const table = (index: number) => `encoder_wrapper.${first}_adapter.rel_pos_table_list.${index}.weight`
  const ffn = `encoder_wrapper.fusion_model.layers.0.${first}_ffn.0.wi_0.weight`
  const config: ModelConfig = {
    embedDim: shapes.dim(CLS_EMBEDDING(first!), 2),
    ffnEmbedDim: shapes.dim(ffn, 0),
    layers: shapes.count((layer) => `encoder_wrapper.fusion_model.layers.${layer}.self_attn.q_proj.weight`),
    attentionHeads: shapes.dim(table(0), 1),
    modalities,
    relPosTables: shapes.count(table),
  }
  if (modalities.includes('text')) config.text = inferText(shapes)
  if (modalities.includes('image')) config.image = inferImage(shapes, imageSizePx ?? configuredImageSize(cfg))
  if (modalities.includes('audio')) config.audio = inferAudio(shapes, cfg)
  const head = inferHead(shapes, cfg, modalities, config.embedDim)
  if (head) config.head = head
  return checkConfig(config)
}

function checkConfig(config: ModelConfig): ModelConfig {
  const { embedDim, attentionHeads, relPosTables, layers } = config
  if (embedDim % attentionHeads !== 0) {
    throw new ModelConfigError(`${attentionHeads} attention heads do not divide the embedding width ${embedDim}.`)
  }
  if (relPosTables !== 1 && relPosTables !== layers) {
    throw new ModelConfigError(
      `There are ${relPosTables} relative position tables for ${layers} layers; want 1 or ${layers}.`,
    )
  }
  return config
}

function inferModalities(shapes: Shapes, cfg: Cfg): readonly Modality[] {
  if (isSegmenter(shapes)) return ['image']
  const headType = section(cfg, 'task').head_type
  const named = typeof headType === 'string' ? HEAD_TYPES[headType] : undefined
  const sign = hasHead(shapes) ? CLS_EMBEDDING : PROJECTION
  const modalities = named ?? MODALITIES.filter((modality) => shapes.has(sign(modality)))
  if (modalities.length === 0) {
    throw new ModelConfigError('The checkpoint has no text, image or audio branch: is it a ONE-PEACE checkpoint?')
  }
  return modalities
}

function chosen(found: readonly Modality[], wanted: readonly Modality[] = found): readonly Modality[] {
  const absent = wanted.filter((modality) => !found.includes(modality))
  if (absent.length > 0) {
    throw new ModelConfigError(`The checkpoint has no ${absent.join(' and no ')} branch, but ${found.join(', ')}.`)
  }
  return found.filter((modality) => wanted.includes(modality))
}

function inferText(shapes: Shapes): NonNullable<ModelConfig['text']> {
  const adapter = 'encoder_wrapper.text_adapter'
  return {
    vocabSize: shapes.dim(`${adapter}.embed_tokens.weight`, 0),
    maxPositions: shapes.dim(`${adapter}.embed_positions.weight`, 0),
    bucketSize: (shapes.dim(`${adapter}.rel_pos_table_list.0.weight`, 0) - 2) / 2,
    typeEmbedding: shapes.has(TYPE_EMBEDDING('text')),
  }
}

function inferImage(shapes: Shapes, wantedSizePx: number | undefined): NonNullable<ModelConfig['image']> {
  const adapter = 'encoder_wrapper.image_adapter'
  const storedRelBucketSize = (Math.sqrt(shapes.dim(`${adapter}.rel_pos_table_list.0.weight`, 0) - 3) + 1) / 2
  const sizePx = wantedSizePx ?? storedRelBucketSize * PATCH_SIZE_PX
  const relBucketSize = sizePx / PATCH_SIZE_PX
  if (!Number.isInteger(relBucketSize) || relBucketSize < 1) {
    throw new ModelConfigError(`An image size of ${sizePx} is not a multiple of ${PATCH_SIZE_PX}: choose one that is.`)
  }
  if (relBucketSize < storedRelBucketSize) {
    throw new ModelConfigError(
      `The checkpoint's position tables are made for ${storedRelBucketSize * PATCH_SIZE_PX} pixels and can only be ` +
        `enlarged: choose an image size of at least that, not ${sizePx}.`,
    )
  }
  return {
    stemChannels: shapes.dim(`${adapter}.embed_images.0.weight`, 0),
    bucketSize: Math.sqrt(shapes.dim(`${adapter}.pos_embed`, 0) - 1),
    storedRelBucketSize,
    relBucketSize,
    typeEmbedding: shapes.has(TYPE_EMBEDDING('image')),
  }
}

function inferAudio(shapes: Shapes, cfg: Cfg): NonNullable<ModelConfig['audio']> {
  const adapter = 'encoder_wrapper.audio_adapter'
  const convWeight = (layer: number) => `${adapter}.embed_audios.0.conv_layers.${layer}.0.weight`
  const posWeight = (block: number) => `${adapter}.embed_positions.${block}.0.weight`
  const strides = configuredStrides(cfg)
  const convCount = shapes.count(convWeight)
  if (convCount !== strides.length) {
    throw new ModelConfigError(
      `The audio front end has ${convCount} convolutions but ${strides.length} strides are configured.`,
    )
  }
  return {
    convLayers: strides.map((stride, layer) => ({
      channels: shapes.dim(convWeight(layer), 0),
      kernel: shapes.dim(convWeight(layer), 2),
      stride,
    })),
    convPosDepth: shapes.count(posWeight, 1),
    convPosKernel: shapes.dim(posWeight(1), 2),
    convPosGroups: shapes.dim(posWeight(1), 0) / shapes.dim(posWeight(1), 1),
    bucketSize: (shapes.dim(`${adapter}.rel_pos_table_list.0.weight`, 0) - 2) / 2,
    typeEmbedding: shapes.has(TYPE_EMBEDDING('audio')),
  }
}

function configuredImageSize(cfg: Cfg): number | undefined {
  const size = section(cfg, 'task').patch_image_size
  return typeof size === 'number' ? size : undefined
}

/** Strides out of fairseq's `feature_encoder_spec`, a Python expression like `[(512, 10, 5)] + [(512, 3, 2)] * 4`. */
function configuredStrides(cfg: Cfg): number[] {
  const adapter = section(section(section(cfg, 'model'), 'encoder'), 'audio_adapter')
  const spec = adapter.feature_encoder_spec
  if (typeof spec !== 'string') return DEFAULT_STRIDES
  const terms = [...spec.matchAll(/\[\(\s*\d+\s*,\s*\d+\s*,\s*(\d+)\s*\)\]\s*(?:\*\s*(\d+))?/g)]
  if (terms.length === 0) throw new ModelConfigError(`The feature_encoder_spec "${spec}" is not understood.`)
  return terms.flatMap(([, stride, times]) => Array<number>(Number(times ?? 1)).fill(Number(stride)))
}
