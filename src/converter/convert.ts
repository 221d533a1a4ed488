/**
 * Converts an official checkpoint into a bundle.
 *
 *   checkpoint ─ config ─ tensor plan ─ check ─► weights.bin (one tensor at a time) ─► graphs ─► manifest
 *
 * The bundle appears under its name only when it is whole: everything is written to a folder beside it first.
 */
import { chmod, mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import type { AudioSpec, BundleFile, BundleManifest, ImageSpec, Precision, TextSpec } from '../bundle/manifest.ts'
import { FORMAT_VERSION, MANIFEST_FILE } from '../bundle/manifest.ts'
import { hashFile } from '../bundle/open.ts'
import { openCheckpoint } from '../checkpoint/checkpoint.ts'
import type { Modality } from '../modality.ts'
import { buildBranchGraph } from '../model/branches.ts'
import { inferConfig, type ModelConfig, PATCH_SIZE_PX } from '../model/config.ts'
import { buildImagePreprocessGraph } from '../model/image-preprocess.ts'
import { checkTensors, planTensors } from '../model/tensors.ts'
import type { ExternalTensor } from '../onnx/external-data.ts'
import type { GraphBuilder } from '../onnx/graph-builder.ts'
import { ConvertError } from './convert-error.ts'
import { renameOldTensors } from './old-names.ts'
import { checkStoredBuckets } from './stored-buckets.ts'
import { copyTokenizer } from './tokenizer-files.ts'
import { readLogitScale, writeWeights } from './weights.ts'

/** BPE ids kept of a text; sounds: 16 kHz, tiled to 1 s, cut to 15 s (hub_interface.py:134-193). */
const MAX_TOKENS = 70
const AUDIO_WINDOW = { sampleRateHz: 16_000, minSamples: 16_000, maxSamples: 240_000 }
const WEIGHTS_FILE = 'weights.bin'

export interface ConvertOptions {
  checkpointPath: string
  /** Folder with `encoder.json`, `vocab.bpe` and `dict.txt`; needed if the checkpoint has a text branch. */
  bpeDir?: string | undefined
  outDir: string
  precision: Precision
  /** Side of the model's picture input, a multiple of 16; default: the checkpoint's own. */
  imageSizePx?: number | undefined
  /** Default: the last part of `outDir`. */
  name?: string | undefined
  licence?: string | undefined
  /** Called as tensors are written. */
  onProgress?: ((done: number, total: number) => void) | undefined
}

export interface ConvertResult {
  manifest: BundleManifest
  /** Tensors of the checkpoint that an embedding does not need. */
  unusedTensors: string[]
}

/** @throws ConvertError, CheckpointError, ModelConfigError, TensorMismatchError */
export async function convertCheckpoint(options: ConvertOptions): Promise<ConvertResult> {
  const outDir = resolve(options.outDir)
  if ((await readdir(outDir).catch(() => [])).length > 0) {
    throw new ConvertError(`${options.outDir} is not empty: remove it or choose another folder for the bundle.`)
  }
  await mkdir(dirname(outDir), { recursive: true })
  const workDir = await mkdtemp(`${outDir}.partial-`)
  try {
    const result = await writeBundle(workDir, options)
    await chmod(workDir, 0o755) // mkdtemp makes folders that only their owner may read
    await rm(outDir, { recursive: true, force: true })
    await rename(workDir, outDir)
    return result
  } catch (error) {
    await rm(workDir, { recursive: true, force: true })
    throw error
  }
}

async function writeBundle(dir: string, options: ConvertOptions): Promise<ConvertResult> {
  const checkpoint = renameOldTensors(await openCheckpoint(options.checkpointPath))
  try {
    const config = inferConfig(checkpoint.tensors.values(), checkpoint.cfg, options.imageSizePx)
    const plan = planTensors(config)
    const unusedTensors = checkTensors(checkpoint.tensors.values(), plan, config)
    await checkStoredBuckets(checkpoint, config)
    const tokenizer = config.text ? await copyTokenizer(options.bpeDir, dir, config.text.vocabSize) : undefined
    const weightsPath = join(dir, WEIGHTS_FILE)
    const weights = await writeWeights(checkpoint, plan, config, weightsPath, options.precision, options.onProgress)
    const specs = await writeGraphs(dir, config, weights.tensors)
    const manifest: BundleManifest = {
      formatVersion: FORMAT_VERSION,
      name: options.name ?? basename(resolve(options.outDir)),
      embedDim: config.embedDim,
      precision: options.precision,
      modalities: [...config.modalities],
      logitScale: await readLogitScale(checkpoint),
      ...specs.specs,
      ...(tokenizer ? { tokenizer: tokenizer.names } : {}),
      weights: WEIGHTS_FILE,
      ...(options.licence ? { licence: options.licence } : {}),
      files: [weights.file, ...specs.files, ...(tokenizer?.files ?? [])],
    }
    await writeFile(join(dir, MANIFEST_FILE), `${JSON.stringify(manifest, null, 2)}\n`)
    return { manifest, unusedTensors }
  } finally {
    await checkpoint.close()
  }
}

interface Specs {
  text?: TextSpec
  image?: ImageSpec
  audio?: AudioSpec
}

async function writeGraphs(
  dir: string,
  config: ModelConfig,
  weights: ReadonlyMap<string, ExternalTensor>,
): Promise<{ specs: Specs; files: BundleFile[] }> {
  const graphs = new Map<string, GraphBuilder>()
  for (const modality of config.modalities) {
    graphs.set(graphFile(modality), buildBranchGraph(modality, config, weights))
  }
  const specs: Specs = {}
  if (config.text) {
    specs.text = { graph: graphFile('text'), maxTokens: MAX_TOKENS, vocabSize: config.text.vocabSize }
  }
  if (config.image) {
    const sizePx = config.image.relBucketSize * PATCH_SIZE_PX
    specs.image = { graph: graphFile('image'), preprocessGraph: 'image_preprocess.onnx', sizePx }
    graphs.set(specs.image.preprocessGraph, buildImagePreprocessGraph(sizePx))
  }
  if (config.audio) {
    const convLayers = config.audio.convLayers.map(({ kernel, stride }) => ({ kernel, stride }))
    specs.audio = { graph: graphFile('audio'), ...AUDIO_WINDOW, convLayers }
  }
  const files = await Promise.all([...graphs].map(([name, graph]) => writeGraph(dir, name, graph)))
  return { specs, files }
}

const graphFile = (modality: Modality): string => `${modality}.onnx`

async function writeGraph(dir: string, name: string, graph: GraphBuilder): Promise<BundleFile> {
  const bytes = graph.encode()
  await writeFile(join(dir, name), bytes)
  return { path: name, bytes: bytes.length, sha256: await hashFile(join(dir, name)) }
}
