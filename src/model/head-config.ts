/**
 * The head of a fine-tuned checkpoint, inferred from its tensors; `cfg` is asked only whether image tokens are pooled.
 * Source: OnePeaceClassifyHead in one_peace_base.py and one_peace_classify.py; the segmentation head is our own.
 */
import type { Modality } from '../modality.ts'
import { type Cfg, ModelConfigError, type Shapes, section } from './shapes.ts'

/** Attention pooling of one modality's tokens, then a classifier of two layers: logits (B, N). */
export interface ClassifyHead {
  kind: 'classify'
  /** N */
  classes: number
  /** h: width inside the classifier. */
  innerDim: number
  /** Otherwise the CLS position is taken as it is. */
  attnPooling: boolean
  /** A Linear and tanh between pooling and classifier. */
  pooler: boolean
  /** The text is read twice, once with each picture, and both poolings are joined (NLVR2). */
  twoImages: boolean
  /** Whose tokens are pooled. */
  pooled: Modality
}

/** The stem backwards: image tokens to class logits (B, N, 4g, 4g). */
export interface SegmentHead {
  kind: 'segment'
  classes: number
}

export type HeadConfig = ClassifyHead | SegmentHead

const CLASSIFIER = 'classify_head.classifier'
export const SEGMENT_CLASSIFIER = 'segment_head.classifier.weight'

/** Whether the checkpoint is a fine-tuned one. */
export const hasHead = (shapes: Shapes): boolean => shapes.has(`${CLASSIFIER}.3.weight`) || isSegmenter(shapes)

export const isSegmenter = (shapes: Shapes): boolean => shapes.has(SEGMENT_CLASSIFIER)

/** @throws ModelConfigError */
export function inferHead(
  shapes: Shapes,
  cfg: Cfg,
  modalities: readonly Modality[],
  embedDim: number,
): HeadConfig | undefined {
  if (isSegmenter(shapes)) return { kind: 'segment', classes: shapes.dim(SEGMENT_CLASSIFIER, 0) }
  if (!hasHead(shapes)) return undefined
  const twoImages = shapes.dim(`${CLASSIFIER}.0.weight`, 1) === 2 * embedDim
  if (twoImages && !modalities.includes('image')) {
    throw new ModelConfigError('The head joins two passes, but the checkpoint has no image branch for two pictures.')
  }
  return {
    kind: 'classify',
    classes: shapes.dim(`${CLASSIFIER}.3.weight`, 0),
    innerDim: shapes.dim(`${CLASSIFIER}.3.weight`, 1),
    attnPooling: shapes.has('classify_head.attn_pooling_func.q'),
    pooler: shapes.has('classify_head.pooler.1.weight'),
    twoImages,
    pooled: pooledModality(modalities, section(cfg, 'model').use_image_features === true),
  }
}

/** Text unless the head was told to use media, then image before audio (one_peace_classify.py, forward). */
function pooledModality(modalities: readonly Modality[], useImageFeatures: boolean): Modality {
  if (modalities.length > 2) {
    throw new ModelConfigError('A head on text, image and audio together cannot be run: ONE-PEACE joins two at most.')
  }
  const order: Modality[] = useImageFeatures ? ['image', 'audio'] : ['text', 'image', 'audio']
  const pooled = order.find((modality) => modalities.includes(modality))
  if (!pooled)
    throw new ModelConfigError('The head pools media tokens, but the checkpoint has no image or audio branch.')
  return pooled
}
