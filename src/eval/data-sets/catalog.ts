/** The data sets that can be measured on, in the paper's order. */
import { AVQA } from './avqa.ts'
import type { DataSet } from './data-set.ts'
import { IMAGENET } from './imagenet.ts'
import { COCO, FLICKR30K } from './karpathy.ts'
import { REFCOCO, REFCOCO_PLUS, REFCOCOG } from './refcoco.ts'
import { AUDIOCAPS, CLOTHO } from './sound-captions.ts'
import { ESC50, FSD50K, VGGSOUND } from './sound-classes.ts'

export const DATA_SETS: readonly DataSet[] = [
  COCO,
  FLICKR30K,
  AUDIOCAPS,
  CLOTHO,
  ESC50,
  FSD50K,
  VGGSOUND,
  AVQA,
  REFCOCO,
  REFCOCO_PLUS,
  REFCOCOG,
  IMAGENET,
]
