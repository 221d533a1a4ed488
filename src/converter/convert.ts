/**
 * Converts official checkpoints into a bundle: one that embeds, one or more fine-tuned ones, or all of them together.
 *
 *   checkpoints ─ config ─ tensor plan ─ check ─► weights.bin (one tensor at a time) ─► graphs ─► manifest
 *
 * The bundle appears under its name only when it is whole: everything is written to a folder beside it first.
 */
import { chmod, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import type { BundleFile, BundleManifest, HeadTask, Precision } from '../bundle/manifest.ts'
import { FORMAT_VERSION, MANIFEST_FILE } from '../bundle/manifest.ts'
import { elementCount } from '../checkpoint/tensor-layout.ts'
import { createSynced, fsyncFolder } from '../durable.ts'
import type { Modality } from '../modality.ts'
import { ExternalDataWriter } from '../onnx/external-data.ts'
import type { Weights } from '../onnx/graph-builder.ts'
import { autoPrecision, type Machine } from './auto-precision.ts'
import { ConvertError } from './convert-error.ts'
import { GraphFiles, type HeadIdentity } from './graphs.ts'
import { headTask } from './head-task.ts'
import { readLabels } from './labels.ts'
import { openSource, type Source } from './source.ts'
import { copyTokenizer } from './tokenizer-files.ts'
import { readLogitScale, writeWeights } from './weights.ts'

const WEIGHTS_FILE = 'weights.bin'
/** What a bundle is called while it is written: its name, this, and the process that writes it. */
const PARTIAL = '.partial-'
/** As the manifest's schema has it. */
const HEAD_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*$/

export interface HeadOption {
  name: string
  checkpointPath: string
}

export interface ConvertOptions {
  /** A pre-training or retrieval checkpoint; or a fine-tuned one alone, whose head is then named after the file. */
  checkpointPath: string
  /** Fine-tuned checkpoints that join the bundle. */
  heads?: readonly HeadOption[] | undefined
  /** What a head is for, by its name, where its checkpoint does not say. */
  headTasks?: Readonly<Record<string, HeadTask>> | undefined
  /** Folder with `encoder.json`, `vocab.bpe` and `dict.txt`; needed if a checkpoint has a text branch. */
  bpeDir?: string | undefined
  outDir: string
  /** How weights are stored, or the machine to choose it for. */
  precision: Precision | Machine
  /** Only these branches of `checkpointPath`; default: all that it has. */
  branches?: readonly Modality[] | undefined
  /** Side of the picture input of `checkpointPath`, a multiple of 16; default: the checkpoint's own, as for the heads. */
  imageSizePx?: number | undefined
  /** Default: the last part of `outDir`. */
  name?: string | undefined
  licence?: string | undefined
  /** Called as tensors are written, with their bytes in the checkpoints. */
  onProgress?: ((done: number, total: number) => void) | undefined
}

export interface ConvertResult {
  manifest: BundleManifest
  /** Tensors of the checkpoints that no graph needs. */
  unusedTensors: string[]
}

/** A checkpoint, and what its head is if it has one. */
interface NamedSource extends Source {
  head?: HeadIdentity
}

/** @throws ConvertError, CheckpointError, ModelConfigError, TensorMismatchError */
export async function convertCheckpoint(options: ConvertOptions): Promise<ConvertResult> {
  const outDir = resolve(options.outDir)
  if ((await readdir(outDir).catch(() => [])).length > 0) {
    throw new ConvertError(`${options.outDir} is not empty: remove it or choose another folder for the bundle.`)
  }
  await mkdir(dirname(outDir), { recursive: true })
  await removeAbandoned(outDir)
  const workDir = await mkdtemp(`${outDir}${PARTIAL}${process.pid}-`)
  try {
    const result = await openAndWrite(workDir, options)
    await chmod(workDir, 0o755) // mkdtemp makes folders that only their owner may read
    await rm(outDir, { recursive: true, force: true })
    await rename(workDir, outDir)
    await fsyncFolder(dirname(outDir))
    return result
  } catch (error) {
    await rm(workDir, { recursive: true, force: true })
    throw error
  }
}

/** Removes what conversions to the same place left that were killed. */
async function removeAbandoned(outDir: string): Promise<void> {
  const prefix = `${basename(outDir)}${PARTIAL}`
  for (const name of await readdir(dirname(outDir))) {
    const pid = name.startsWith(prefix) ? Number.parseInt(name.slice(prefix.length), 10) : Number.NaN
    if (pid > 0 && !isRunning(pid)) await rm(join(dirname(outDir), name), { recursive: true, force: true })
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM' // another user's
  }
}

async function openAndWrite(dir: string, options: ConvertOptions): Promise<ConvertResult> {
  const sources: NamedSource[] = []
  try {
    await openAll(sources, options)
    return await writeBundle(dir, sources, options)
  } finally {
    await Promise.all(sources.map(({ checkpoint }) => checkpoint.close()))
  }
}

/** Opens and checks every checkpoint before the first byte is written; fills `sources`, so that the caller can close them. */
async function openAll(sources: NamedSource[], options: ConvertOptions): Promise<void> {
  const { checkpointPath, heads = [], headTasks = {} } = options
  const nameless = await openSource(checkpointPath, options)
  sources.push(nameless)
  if (nameless.config.head) {
    if (options.branches) throw new ConvertError(`${checkpointPath} is fine-tuned: its head needs all its branches.`)
    if (heads.length > 0) {
      throw new ConvertError(
        `${checkpointPath} is itself fine-tuned: name a pre-training or retrieval checkpoint first.`,
      )
    }
    const name = basename(checkpointPath).replace(/\.[^.]*$/, '')
    sources[0] = { ...nameless, head: await identify({ name, checkpointPath }, nameless, headTasks) }
  }
  for (const head of heads) {
    const source = await openSource(head.checkpointPath)
    sources.push(source)
    if (!source.config.head) throw new ConvertError(`${head.checkpointPath} has no head: it is not fine-tuned.`)
    sources[sources.length - 1] = { ...source, head: await identify(head, source, headTasks) }
  }
  checkNames(sources, headTasks)
}

async function identify(
  { name, checkpointPath }: HeadOption,
  { config, checkpoint }: Source,
  tasks: Readonly<Record<string, HeadTask>>,
): Promise<HeadIdentity> {
  const task = headTask(name, config, checkpoint.cfg, tasks[name])
  const labels = await readLabels(checkpointPath, config.head!.classes)
  return { name, task, ...(labels && { labels }) }
}

function checkNames(sources: readonly NamedSource[], tasks: Readonly<Record<string, HeadTask>>): void {
  const names = sources.flatMap(({ head }) => head?.name ?? [])
  const bad = names.find((name) => !HEAD_NAME.test(name))
  if (bad !== undefined) {
    throw new ConvertError(`A head cannot be named '${bad}': use letters, digits, dots, dashes and underscores.`)
  }
  const repeated = names.find((name, i) => names.indexOf(name) < i)
  if (repeated !== undefined) throw new ConvertError(`There are two heads named ${repeated}: give each its own name.`)
  const stray = Object.keys(tasks).find((name) => !names.includes(name))
  if (stray !== undefined) {
    throw new ConvertError(`--head-task names ${stray}, but the heads are: ${names.join(', ') || 'none'}.`)
  }
}

async function writeBundle(
  dir: string,
  sources: readonly NamedSource[],
  options: ConvertOptions,
): Promise<ConvertResult> {
  const precision = precisionFor(sources, options.precision)
  const tokenizer = await addTokenizer(dir, sources, options.bpeDir)
  const { weights, file } = await writeAllWeights(dir, sources, precision, options.onProgress)
  const graphs = new GraphFiles(dir)
  const [first] = sources as [NamedSource]
  const specs = first.head ? {} : graphs.addBranches(first.config, weights[0]!)
  const heads = sources.flatMap(({ head, config }, i) => (head ? [graphs.addHead(head, config, weights[i]!)] : []))
  const manifest: BundleManifest = {
    formatVersion: FORMAT_VERSION,
    name: options.name ?? basename(resolve(options.outDir)),
    embedDim: first.config.embedDim,
    precision,
    modalities: first.head ? [] : [...first.config.modalities],
    logitScale: await readLogitScale(first.checkpoint),
    ...specs,
    ...(heads.length > 0 ? { heads } : {}),
    ...(tokenizer ? { tokenizer: tokenizer.names } : {}),
    weights: WEIGHTS_FILE,
    ...(options.licence ? { licence: options.licence } : {}),
    files: [file, ...(await graphs.write()), ...(tokenizer?.files ?? [])],
  }
  await createSynced(join(dir, MANIFEST_FILE), `${JSON.stringify(manifest, null, 2)}\n`)
  return { manifest, unusedTensors: sources.flatMap(({ unusedTensors }) => unusedTensors) }
}

function precisionFor(sources: readonly NamedSource[], wanted: Precision | Machine): Precision {
  if (typeof wanted === 'string') return wanted
  const sizes = sources.flatMap(({ plan }) => plan.map(({ shape }) => elementCount(shape)))
  return autoPrecision(
    sizes.reduce((sum, size) => sum + size, 0),
    wanted,
  )
}

/** One tokenizer serves all: every text branch must have as many rows as its dictionary. */
async function addTokenizer(dir: string, sources: readonly NamedSource[], bpeDir: string | undefined) {
  const sizes = [...new Set(sources.flatMap(({ config }) => config.text?.vocabSize ?? []))]
  if (sizes.length > 1) {
    throw new ConvertError(
      `The checkpoints embed vocabularies of different size (${sizes.join(', ')}); one must serve all.`,
    )
  }
  return sizes[0] === undefined ? undefined : copyTokenizer(bpeDir, dir, sizes[0])
}

async function writeAllWeights(
  dir: string,
  sources: readonly NamedSource[],
  precision: Precision,
  onProgress: ConvertOptions['onProgress'],
): Promise<{ weights: Weights[]; file: BundleFile }> {
  const total = sources.reduce((sum, { plannedBytes }) => sum + plannedBytes, 0)
  let done = 0
  const told = (bytes: number) => {
    done += bytes
    onProgress?.(done, total)
  }
  const writer = await ExternalDataWriter.create(join(dir, WEIGHTS_FILE))
  try {
    const weights: Weights[] = []
    for (const source of sources) {
      weights.push(await writeWeights(writer, source, precision, told))
    }
    return { weights, file: await writer.finish() }
  } catch (error) {
    await writer.abandon()
    throw error
  }
}
