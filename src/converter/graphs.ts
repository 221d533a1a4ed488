/** Writes the graphs of a bundle and says in the manifest's words what each takes. */
import { join } from 'node:path'
import type {
  AudioSpec,
  BundleFile,
  HeadRole,
  HeadSpec,
  ImageSpec,
  PictureInput,
  SoundInput,
  TextSpec,
} from '../bundle/manifest.ts'
import { hashFile } from '../bundle/open.ts'
import { createSynced } from '../durable.ts'
import type { Modality } from '../modality.ts'
import { buildBranchGraph } from '../model/branches.ts'
import { type ModelConfig, PATCH_SIZE_PX } from '../model/config.ts'
import { buildHeadGraph } from '../model/heads.ts'
import { buildImagePreprocessGraph } from '../model/image-preprocess.ts'
import { MAX_DISTANCE } from '../model/positions.ts'
import type { GraphBuilder, Weights } from '../onnx/graph-builder.ts'

/** BPE ids kept of a text; sounds: 16 kHz, tiled to 1 s, cut to 15 s (hub_interface.py:134-193). */
const MAX_TOKENS = 70
const AUDIO_WINDOW = { sampleRateHz: 16_000, minSamples: 16_000, maxSamples: 240_000 }

/** What a head is called and for, before its graph is written. */
export type HeadIdentity = Pick<HeadSpec, 'name' | 'task' | 'labels'>

export class GraphFiles {
  readonly #dir: string
  readonly #graphs = new Map<string, GraphBuilder>()
  /** Side of the pictures of `image_preprocess.onnx`. */
  #usualSizePx: number | undefined

  constructor(dir: string) {
    this.#dir = dir
  }

  /** The embedding graphs. */
  addBranches(config: ModelConfig, weights: Weights): { text?: TextSpec; image?: ImageSpec; audio?: AudioSpec } {
    const graphOf = (modality: Modality) => this.#add(`${modality}.onnx`, buildBranchGraph(modality, config, weights))
    const { text, image, audio } = config
    return {
      ...(text && { text: { graph: graphOf('text'), maxTokens: MAX_TOKENS, vocabSize: text.vocabSize } }),
      ...(image && { image: { graph: graphOf('image'), ...this.#pictures(image) } }),
      ...(audio && { audio: { graph: graphOf('audio'), ...sounds(audio) } }),
    }
  }

  addHead({ name, task, labels }: HeadIdentity, config: ModelConfig, weights: Weights): HeadSpec {
    const { text, image, audio, head } = config
    const boxes = task === 'grounding'
    return {
      name,
      task,
      graph: this.#add(`head-${name}.onnx`, buildHeadGraph(config, weights, { boxes })),
      inputs: rolesOf(config),
      classes: head!.classes,
      ...(labels && { labels }),
      ...(text && { text: { maxTokens: longestText(text.maxPositions), vocabSize: text.vocabSize } }),
      ...(image && { image: this.#pictures(image) }),
      ...(audio && { audio: sounds(audio) }),
    }
  }

  /** Writes what was added. */
  write(): Promise<BundleFile[]> {
    return Promise.all(
      [...this.#graphs].map(async ([name, graph]) => {
        const path = join(this.#dir, name)
        const bytes = graph.encode()
        await createSynced(path, bytes)
        return { path: name, bytes: bytes.length, sha256: await hashFile(path) }
      }),
    )
  }

  #add(file: string, graph: GraphBuilder): string {
    this.#graphs.set(file, graph)
    return file
  }

  #pictures({ relBucketSize }: NonNullable<ModelConfig['image']>): PictureInput {
    const sizePx = relBucketSize * PATCH_SIZE_PX
    this.#usualSizePx ??= sizePx
    const file = sizePx === this.#usualSizePx ? 'image_preprocess.onnx' : `image_preprocess_${sizePx}.onnx`
    return { preprocessGraph: this.#add(file, buildImagePreprocessGraph(sizePx)), sizePx }
  }
}

function sounds({ convLayers }: NonNullable<ModelConfig['audio']>): SoundInput {
  return { ...AUDIO_WINDOW, convLayers: convLayers.map(({ kernel, stride }) => ({ kernel, stride })) }
}

function rolesOf({ modalities, head }: ModelConfig): HeadRole[] {
  return head!.kind === 'classify' && head!.twoImages ? [...modalities, 'image2'] : [...modalities]
}

/** Ids beside CLS and `eos` that have a position; a head's texts are not all cut to 70 (spec §10). */
const longestText = (maxPositions: number): number => Math.min(maxPositions, MAX_DISTANCE + 1) - 2
