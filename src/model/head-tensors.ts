/** The tensors of a fine-tuned head, as `tensors.ts` lists those of the encoder. Source: one_peace_base.py; heads.py of `training/`. */
import type { ModelConfig } from './config.ts'
import type { ClassifyHead, HeadConfig } from './head-config.ts'
import { asIs, linear, norm, type TensorPlan } from './tensor-plan.ts'

export function headTensors(config: ModelConfig, head: HeadConfig): TensorPlan[] {
  return head.kind === 'classify' ? classifyTensors(config, head) : segmentTensors(config, head.classes)
}

function classifyTensors({ embedDim: D, attentionHeads: H }: ModelConfig, head: ClassifyHead): TensorPlan[] {
  const prefix = 'classify_head'
  const pool = `${prefix}.attn_pooling_func`
  const { innerDim, classes } = head
  const pooling = [
    ...norm(`${prefix}.norm`, D),
    asIs(`${pool}.q`, 1, 1, H, D / H),
    linear(`${pool}.k_proj.weight`, D, D),
    linear(`${pool}.v_proj.weight`, D, D),
    asIs(`${pool}.v_proj.bias`, D),
    linear(`${pool}.out_proj.weight`, D, D),
    asIs(`${pool}.out_proj.bias`, D),
  ]
  return [
    ...(head.attnPooling ? pooling : []),
    ...(head.pooler ? [linear(`${prefix}.pooler.1.weight`, D, D), asIs(`${prefix}.pooler.1.bias`, D)] : []),
    linear(`${prefix}.classifier.0.weight`, innerDim, head.twoImages ? 2 * D : D),
    asIs(`${prefix}.classifier.0.bias`, innerDim),
    ...norm(`${prefix}.classifier.1`, innerDim),
    linear(`${prefix}.classifier.3.weight`, classes, innerDim),
    asIs(`${prefix}.classifier.3.bias`, classes),
  ]
}

function segmentTensors({ embedDim: D, image }: ModelConfig, classes: number): TensorPlan[] {
  const prefix = 'segment_head'
  const C = image!.stemChannels
  return [
    asIs(`${prefix}.up.0.weight`, D, C, 2, 2),
    asIs(`${prefix}.up.0.bias`, C),
    ...norm(`${prefix}.norm.0`, C),
    asIs(`${prefix}.up.1.weight`, C, C, 2, 2),
    asIs(`${prefix}.up.1.bias`, C),
    ...norm(`${prefix}.norm.1`, C),
    asIs(`${prefix}.mix.weight`, C, C, 3, 3),
    asIs(`${prefix}.mix.bias`, C),
    asIs(`${prefix}.classifier.weight`, classes, C, 1, 1),
    asIs(`${prefix}.classifier.bias`, classes),
  ]
}
