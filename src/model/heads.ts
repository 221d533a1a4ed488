/**
 * The graph of a fine-tuned checkpoint: its inputs, the joint forward (text, then a medium), the head, its outputs.
 * Source: one_peace_classify.py, forward.
 */
import { GraphBuilder, type Value, type Weights } from '../onnx/graph-builder.ts'
import { readImage, readInput } from './branches.ts'
import { classifyHead } from './classify-head.ts'
import type { ModelConfig } from './config.ts'
import { type Part, transformer } from './encoder.ts'
import type { ClassifyHead } from './head-config.ts'
import { segmentHead } from './segment-head.ts'

/**
 * Outputs `logits` (B, N), or (B, N, 4g, 4g) of a segmentation head; with `boxes` also their sigmoid (B, 4); and, if there
 * is but one pass, `{modality}_hidden` (B, T, D) of each modality. `config.head` must be there.
 */
export function buildHeadGraph(config: ModelConfig, weights: Weights, options: { boxes: boolean }): GraphBuilder {
  const g = new GraphBuilder('onepeace_head', weights)
  const head = config.head!
  if (head.kind === 'segment') {
    addSegmenter(g, config)
    return g
  }
  const logits = addClassifier(g, config, head)
  g.output('logits', logits, 'float32', ['batch', head.classes])
  if (options.boxes) g.output('boxes', g.op('Sigmoid', [logits]), 'float32', ['batch', head.classes])
  return g
}

function addSegmenter(g: GraphBuilder, config: ModelConfig): void {
  const sequence = readImage(g, config)
  const [hidden] = transformer(g, [{ modality: 'image', sequence }], config)
  const side = 4 * config.image!.relBucketSize
  g.output('logits', segmentHead(g, hidden!, sequence.stem, config), 'float32', [
    'batch',
    config.head!.classes,
    side,
    side,
  ])
  g.output('image_hidden', hidden!, 'float32', ['batch', 'image_length', config.embedDim])
}

function addClassifier(g: GraphBuilder, config: ModelConfig, head: ClassifyHead): Value {
  const parts = config.modalities.map((modality): Part => ({ modality, sequence: readInput(g, modality, config) }))
  const pooledAt = config.modalities.indexOf(head.pooled)
  const hidden = transformer(g, parts, config)
  const padding = parts[pooledAt]!.sequence.padding
  const passes = [{ hidden: hidden[pooledAt]!, ...(padding && { padding }) }]
  if (head.twoImages) {
    const again = g.scope('second', () => transformer(g, withSecondImage(g, parts, config), config))
    passes.push({ ...passes[0]!, hidden: again[pooledAt]! })
  } else {
    for (const [i, { modality }] of parts.entries()) {
      g.output(`${modality}_hidden`, hidden[i]!, 'float32', ['batch', `${modality}_length`, config.embedDim])
    }
  }
  return classifyHead(g, passes, config, head)
}

function withSecondImage(g: GraphBuilder, parts: readonly Part[], config: ModelConfig): Part[] {
  return parts.map((part) =>
    part.modality === 'image' ? { ...part, sequence: readImage(g, config, { second: true }) } : part,
  )
}
