/**
 * The tensors a checkpoint must have for its configuration, and how each is stored in a bundle. One list serves the
 * check (one error names everything missing, unexpected or mis-shaped) and the conversion.
 * Source: the state dict layout of `one_peace_retrieval.py` and `unify_model.py`.
 */
import type { Modality } from '../modality.ts'
import type { ModelConfig } from './config.ts'
import { headTensors } from './head-tensors.ts'
import { enlargeRelPosTable, resizePosEmbed } from './interpolation.ts'
import { imageTableRows } from './positions.ts'
import type { TensorShape } from './shapes.ts'
import { asIs, linear, norm, type TensorPlan, table, windowed } from './tensor-plan.ts'

const ENCODER = 'encoder_wrapper'
export const LOGIT_SCALE = 'logit_scale'
/** ln(1/0.07), what an absent `logit_scale` means (one_peace_retrieval.py). */
export const DEFAULT_LOGIT_SCALE = Math.log(1 / 0.07)

/** Every tensor that the graphs of `config` need, in the order in which they are written. */
export function planTensors(config: ModelConfig): TensorPlan[] {
  const { embedDim: D, modalities } = config
  return [
    ...(config.text ? textAdapter(config, config.text) : []),
    ...(config.image ? imageAdapter(config, config.image) : []),
    ...(config.audio ? audioAdapter(config, config.audio) : []),
    ...Array.from({ length: config.layers }, (_, layer) => transformerLayer(config, layer)).flat(),
    ...modalities.flatMap((modality) => norm(`${ENCODER}.fusion_model.${modality}_layer_norm`, D)),
    ...(config.head ? headTensors(config, config.head) : modalities.flatMap((modality) => projection(modality, D))),
  ]
}

const projection = (modality: Modality, embedDim: number): TensorPlan[] => [
  linear(`${modality}_proj.weight`, embedDim, embedDim),
  asIs(`${modality}_proj.bias`, embedDim),
]

const typeEmbedding = (config: ModelConfig, modality: Modality): TensorPlan[] =>
  config[modality]!.typeEmbedding ? [asIs(`${ENCODER}.${modality}_adapter.type_embedding`, 1, 1, config.embedDim)] : []

/** What marks the second picture of a pair, in addition to `type_embedding` (image.py). */
export const SECOND_TYPE = `${ENCODER}.image_adapter.type_embedding_2`
const hasSecondType = ({ image, head }: ModelConfig): boolean =>
  image?.typeEmbedding === true && head?.kind === 'classify' && head.twoImages

const tableName = (modality: Modality, table: number): string =>
  `${ENCODER}.${modality}_adapter.rel_pos_table_list.${table}.weight`

function relPosTables(config: ModelConfig, modality: Modality, rows: number): TensorPlan[] {
  return Array.from({ length: config.relPosTables }, (_, table) =>
    asIs(tableName(modality, table), rows, config.attentionHeads),
  )
}

function textAdapter(config: ModelConfig, text: NonNullable<ModelConfig['text']>): TensorPlan[] {
  const adapter = `${ENCODER}.text_adapter`
  const { embedDim: D } = config
  return [
    asIs(`${adapter}.cls_embedding`, 1, 1, D),
    table(`${adapter}.embed_tokens.weight`, text.vocabSize, D),
    asIs(`${adapter}.embed_positions.weight`, text.maxPositions, D),
    ...typeEmbedding(config, 'text'),
    ...relPosTables(config, 'text', 2 * text.bucketSize + 2),
  ]
}

function imageAdapter(config: ModelConfig, image: NonNullable<ModelConfig['image']>): TensorPlan[] {
  const adapter = `${ENCODER}.image_adapter`
  const { embedDim: D, attentionHeads: H } = config
  const { stemChannels: C, bucketSize: b, relBucketSize: r, storedRelBucketSize } = image
  const posEmbed: TensorPlan = {
    name: `${adapter}.pos_embed`,
    role: 'plain',
    shape: [b * b + 1, D],
    storedShape: [r * r + 1, D],
    store: (values) => resizePosEmbed(values, b, r, D),
  }
  const tables = relPosTables(config, 'image', imageTableRows(storedRelBucketSize)).map((plan) => ({
    ...plan,
    storedShape: [imageTableRows(r), H],
    store: (values: Float32Array) => enlargeRelPosTable(values, storedRelBucketSize, r, H),
  }))
  return [
    asIs(`${adapter}.cls_embedding`, 1, 1, D),
    posEmbed,
    asIs(`${adapter}.embed_images.0.weight`, C, 3, 4, 4),
    asIs(`${adapter}.embed_images.0.bias`, C),
    ...norm(`${adapter}.embed_images.1.layer_norm`, C),
    asIs(`${adapter}.embed_images.3.weight`, C, C, 2, 2),
    asIs(`${adapter}.embed_images.3.bias`, C),
    ...norm(`${adapter}.embed_images.4.layer_norm`, C),
    asIs(`${adapter}.embed_images.6.weight`, D, C, 2, 2),
    asIs(`${adapter}.embed_images.6.bias`, D),
    ...typeEmbedding(config, 'image'),
    ...(hasSecondType(config) ? [asIs(SECOND_TYPE, 1, 1, D)] : []),
    ...tables,
  ]
}

function audioAdapter(config: ModelConfig, audio: NonNullable<ModelConfig['audio']>): TensorPlan[] {
  const adapter = `${ENCODER}.audio_adapter`
  const { embedDim: D } = config
  const { convLayers, convPosKernel, convPosGroups } = audio
  const lastChannels = convLayers.at(-1)!.channels
  const convolutions = convLayers.flatMap(({ channels, kernel }, layer) => {
    const prefix = `${adapter}.embed_audios.0.conv_layers.${layer}`
    const inChannels = layer === 0 ? 1 : convLayers[layer - 1]!.channels
    return [windowed(`${prefix}.0.weight`, channels, inChannels, kernel), ...norm(`${prefix}.2.1`, channels)]
  })
  const positions = Array.from({ length: audio.convPosDepth }, (_, block) => [
    asIs(`${adapter}.embed_positions.${block + 1}.0.weight`, D, D / convPosGroups, convPosKernel),
    asIs(`${adapter}.embed_positions.${block + 1}.0.bias`, D),
  ]).flat()
  return [
    asIs(`${adapter}.cls_embedding`, 1, 1, D),
    asIs(`${adapter}.cls_pos_embed`, 1, 1, D),
    ...convolutions,
    ...norm(`${adapter}.embed_audios.2`, lastChannels),
    linear(`${adapter}.embed_audios.3.weight`, D, lastChannels),
    asIs(`${adapter}.embed_audios.3.bias`, D),
    ...positions,
    ...typeEmbedding(config, 'audio'),
    ...relPosTables(config, 'audio', 2 * audio.bucketSize + 2),
  ]
}

function transformerLayer(config: ModelConfig, layer: number): TensorPlan[] {
  const { embedDim: D, ffnEmbedDim: F } = config
  const prefix = `${ENCODER}.fusion_model.layers.${layer}`
  const feedForward = (modality: Modality) => [
    linear(`${prefix}.${modality}_ffn.0.wi_0.weight`, F, D),
    linear(`${prefix}.${modality}_ffn.0.wi_1.weight`, F, D),
    ...norm(`${prefix}.${modality}_ffn.2`, F),
    linear(`${prefix}.${modality}_ffn.3.weight`, D, F),
    asIs(`${prefix}.${modality}_ffn.3.bias`, D),
  ]
  return [
    asIs(`${prefix}.gamma_1`, D),
    asIs(`${prefix}.gamma_2`, D),
    ...norm(`${prefix}.self_attn_layer_norm`, D),
    linear(`${prefix}.self_attn.q_proj.weight`, D, D),
    asIs(`${prefix}.self_attn.q_proj.bias`, D),
    linear(`${prefix}.self_attn.k_proj.weight`, D, D),
    linear(`${prefix}.self_attn.v_proj.weight`, D, D),
    asIs(`${prefix}.self_attn.v_proj.bias`, D),
    ...norm(`${prefix}.self_attn.ln`, D),
    linear(`${prefix}.self_attn.out_proj.weight`, D, D),
    asIs(`${prefix}.self_attn.out_proj.bias`, D),
    ...norm(`${prefix}.final_layer_norm`, D),
    ...config.modalities.flatMap(feedForward),
  ]
}

/** Tensors of an official file that no graph needs: pre-training parts, unused parameters, derived buffers. */
const NOT_NEEDED = [
  /^decoder_wrapper\./,
  /^decoder_(text|image|audio)_embed\./,
  /^(text|image|audio)_mask_(token|head)/,
  /\.audio_adapter\.mask_embedding$/,
  /\.fusion_model\.version$/,
  /\.image_adapter\.position_idx$/,
  /_adapter\.rp_bucket$/,
  /^logit_scale$/,
]
/** What a head does without: the projections of the checkpoint it was fine-tuned from. */
const NOT_NEEDED_BY_HEADS = [/^(text|image|audio)_proj\./]

/** What is wrong with a checkpoint's tensors, all of it in one message. */
export class TensorMismatchError extends Error {
  override name = 'TensorMismatchError'
}

/** Old files call the one relative table `rel_pos_table.weight` (image.py:287). */
export const officialName = (name: string): string =>
  name.replace(/\.rel_pos_table\.weight$/, '.rel_pos_table_list.0.weight')

/**
 * Compares the tensors of a file, by their official names, with the plan.
 * @returns names that are known and not used, for the record
 * @throws TensorMismatchError naming every missing, unexpected and mis-shaped tensor
 */
export function checkTensors(
  tensors: Iterable<TensorShape>,
  plan: readonly TensorPlan[],
  config: ModelConfig,
): string[] {
  const found = new Map([...tensors].map(({ name, shape }) => [name, shape]))
  const wanted = new Set(plan.map(({ name }) => name))
  const missing = plan.filter(({ name }) => !found.has(name)).map(({ name, shape }) => `${name} [${shape}]`)
  const misshaped = plan
    .filter(({ name, shape }) => found.has(name) && `${found.get(name)}` !== `${shape}`)
    .map(({ name, shape }) => `${name}: [${found.get(name)}] instead of [${shape}]`)
  const others = [...found.keys()].filter((name) => !wanted.has(name))
  const unused = others.filter((name) => isNotNeeded(name, config))
  const unexpected = others.filter((name) => !isNotNeeded(name, config))
  const findings = Object.entries({ missing, unexpected, 'mis-shaped': misshaped })
    .filter(([, names]) => names.length > 0)
    .map(([kind, names]) => `${names.length} ${kind}:\n  ${names.join('\n  ')}`)
  if (findings.length > 0) {
    throw new TensorMismatchError(`The checkpoint's tensors are not those of its configuration. ${findings.join('\n')}`)
  }
  return unused
}

/** Like the official loader, leaves out whatever belongs to a modality that the head type lacks. */
function isNotNeeded(name: string, config: ModelConfig): boolean {
  const other = (['text', 'image', 'audio'] as const).filter((modality) => !config.modalities.includes(modality))
  const patterns = config.head ? [...NOT_NEEDED, ...NOT_NEEDED_BY_HEADS] : NOT_NEEDED
  if (patterns.some((pattern) => pattern.test(name)) || other.some((modality) => name.includes(`${modality}_`)))
    return true
  if (name === SECOND_TYPE) return config.image?.typeEmbedding === true && !hasSecondType(config)
  const { head } = config
  return head?.kind === 'classify' && !head.attnPooling && name.startsWith('classify_head.norm.') // officially unused then
}
