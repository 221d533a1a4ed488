/**
 * Proves a bundle equal to the reference: runs every golden case it serves through its graphs and compares.
 *
 *   case ─ inputs (given, or stacked from the media's prepared arrays) ─ graph ─ embedding, hidden ─ |difference|, cosine
 *        └ texts ─ tokenizer ─ ids equal to the given ones?
 */
import type { BundleManifest, Precision } from '../bundle/manifest.ts'
import type { TensorData } from '../encoder/onnx-session.ts'
import { MODALITIES, type Modality } from '../modality.ts'
import { type GoldenCase, type Goldens, GoldensError } from './goldens.ts'
import type { NpyArray } from './npy.ts'

/** Runs a graph of the bundle and gives all its outputs. */
export type RunGraph = (graph: string, inputs: Record<string, TensorData>) => Promise<Record<string, TensorData>>

/** Dictionary ids of a text, ending in `eos`. */
export type Tokenize = (text: string) => readonly number[]

/**
 * Largest |difference| allowed in a component of a unit embedding. fp32: three orders above what is measured (4e-7) and
 * below every mistake that the specification lists (a tanh GELU shows at 8e-5). fp16 weights carry 11 bits: a relative
 * 4.9e-4 a weight, measured 9e-4 at most on the goldens.
 */
export const EMBEDDING_TOLERANCE: Record<Precision, number> = { fp32: 2e-5, fp16: 5e-3 }

export interface CaseResult {
  name: string
  kind: Modality
  /** Largest |difference| over the embeddings. */
  maxDifference: number
  /** Least cosine between an embedding and its golden. */
  leastCosine: number
  /** Largest |difference| over the token features, where the goldens hold them; reported, not judged. */
  maxHiddenDifference?: number
  /** Whether our token ids equal the golden ones, for texts. */
  tokensEqual?: boolean
  passed: boolean
}

export interface VerifyReport {
  checkpoint: string
  tolerance: number
  cases: CaseResult[]
  leftOut: { name: string; reason: string }[]
  /** At least one case ran and all that ran passed. */
  passed: boolean
}

export async function verifyBundle(
  manifest: BundleManifest,
  goldens: Goldens,
  checkpoint: string,
  run: RunGraph,
  tokenize: Tokenize | undefined,
): Promise<VerifyReport> {
  const tolerance = EMBEDDING_TOLERANCE[manifest.precision]
  const report: VerifyReport = { checkpoint, tolerance, cases: [], leftOut: [], passed: false }
  for (const golden of goldens.cases) {
    const reason = reasonToLeaveOut(golden, manifest, checkpoint)
    if (reason) {
      report.leftOut.push({ name: golden.name, reason })
      continue
    }
    const inputs = await INPUTS[golden.kind as Modality](golden, goldens)
    const misfit = sizeMisfit(inputs.src_images?.dims[2], manifest)
    if (misfit) report.leftOut.push({ name: golden.name, reason: misfit })
    else report.cases.push(await runCase(golden, inputs, manifest, goldens, tolerance, run, tokenize))
  }
  report.passed = report.cases.length > 0 && report.cases.every(({ passed }) => passed)
  return report
}

const isModality = (kind: string): kind is Modality => (MODALITIES as readonly string[]).includes(kind)

function reasonToLeaveOut(golden: GoldenCase, manifest: BundleManifest, checkpoint: string): string | undefined {
  const { kind, patch_image_size: size } = golden
  if (golden.checkpoint !== checkpoint) return `made with checkpoint ${golden.checkpoint}`
  if (!isModality(kind)) return `the bundle has no graph for kind ${kind}`
  if (!manifest.modalities.includes(kind)) return `the bundle has no ${kind} branch`
  return sizeMisfit(size, manifest)
}

function sizeMisfit(sizePx: number | undefined, manifest: BundleManifest): string | undefined {
  if (sizePx === undefined || sizePx === manifest.image?.sizePx) return undefined
  return `made for pictures of ${sizePx} pixels, the bundle takes ${manifest.image?.sizePx ?? 'none'}`
}

async function runCase(
  golden: GoldenCase,
  inputs: Record<string, TensorData>,
  manifest: BundleManifest,
  goldens: Goldens,
  tolerance: number,
  run: RunGraph,
  tokenize: Tokenize | undefined,
): Promise<CaseResult> {
  const kind = golden.kind as Modality
  const outputs = await run(manifest[kind]!.graph, inputs)
  const expected = await required(goldens.output(golden, 'features'), golden, 'the expected features')
  const embedding = compare(outputs.embedding!, expected, golden)
  const hidden = await goldens.output(golden, 'hidden')
  const result: CaseResult = { name: golden.name, kind, ...embedding, passed: embedding.maxDifference <= tolerance }
  if (hidden) result.maxHiddenDifference = compare(outputs.hidden!, hidden, golden).maxDifference
  if (kind === 'text' && golden.texts && tokenize) {
    result.tokensEqual = sameTokens(golden.texts.map(tokenize), inputs.src_tokens!)
    result.passed &&= result.tokensEqual
  }
  return result
}

/** How the inputs of each modality are found; every array keeps the golden's own batch and padding. */
const INPUTS: Record<Modality, (golden: GoldenCase, goldens: Goldens) => Promise<Record<string, TensorData>>> = {
  text: async (golden, goldens) => ({
    src_tokens: await tensor(goldens.input(golden, 'src_tokens'), golden, 'src_tokens'),
  }),
  image: async (golden, goldens) => {
    const given = await goldens.input(golden, 'src_images')
    return { src_images: given ? toTensor(given) : stack(await mediaArrays(golden, goldens, 'tensor')) }
  },
  audio: async (golden, goldens) => {
    const waveforms = await goldens.input(golden, 'src_audios')
    const masks =
      (await goldens.input(golden, 'audio_padding_masks')) ?? (await goldens.output(golden, 'audio_padding_masks'))
    return {
      src_audios: waveforms ? toTensor(waveforms) : padToLongest(await mediaArrays(golden, goldens, 'feats')),
      audio_padding_masks: { ...(await tensor(masks, golden, 'audio_padding_masks')), dtype: 'bool' },
    }
  },
}

function mediaArrays(golden: GoldenCase, goldens: Goldens, name: string): Promise<NpyArray[]> {
  const files = golden.files ?? []
  return Promise.all(files.map((file) => required(goldens.mediaArray(file, name), golden, `${name} of ${file}`)))
}

async function required(
  array: Promise<NpyArray | undefined> | NpyArray | undefined,
  golden: GoldenCase,
  what: string,
): Promise<NpyArray> {
  const found = await array
  if (!found) throw new GoldensError(`The golden case ${golden.name} lacks ${what}.`)
  return found
}

async function tensor(
  array: Promise<NpyArray | undefined> | NpyArray | undefined,
  golden: GoldenCase,
  what: string,
): Promise<TensorData> {
  return toTensor(await required(array, golden, what))
}

function toTensor({ dtype, shape, data }: NpyArray): TensorData {
  return { dtype, dims: shape, data }
}

/** (…) × B → (B, …) */
function stack(arrays: readonly NpyArray[]): TensorData {
  const size = arrays[0]!.data.length
  const data = new Float32Array(arrays.length * size)
  for (const [index, array] of arrays.entries()) data.set(array.data as Float32Array, index * size)
  return { dtype: 'float32', dims: [arrays.length, ...arrays[0]!.shape], data }
}

/** Waveforms (n_i) → (B, max n), padded with zeros at the end. */
function padToLongest(arrays: readonly NpyArray[]): TensorData {
  const longest = Math.max(...arrays.map(({ data }) => data.length))
  const data = new Float32Array(arrays.length * longest)
  for (const [index, array] of arrays.entries()) data.set(array.data as Float32Array, index * longest)
  return { dtype: 'float32', dims: [arrays.length, longest], data }
}

function compare(
  actual: TensorData,
  expected: NpyArray,
  golden: GoldenCase,
): Pick<CaseResult, 'maxDifference' | 'leastCosine'> {
  if (`${actual.dims}` !== `${expected.shape}`) {
    throw new GoldensError(
      `${golden.name}: the bundle gives shape [${actual.dims}], the golden has [${expected.shape}].`,
    )
  }
  const [a, b] = [actual.data as Float32Array, expected.data as Float32Array]
  const width = expected.shape.at(-1)!
  let maxDifference = 0
  let leastCosine = 1
  for (let row = 0; row < a.length; row += width) {
    const [x, y] = [a.subarray(row, row + width), b.subarray(row, row + width)]
    // Not Math.max alone: it would hide a NaN, which must count as the largest difference.
    for (let i = 0; i < width; i++) {
      const difference = Math.abs(x[i]! - y[i]!)
      maxDifference =
        difference <= maxDifference ? maxDifference : Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference
    }
    leastCosine = Math.min(leastCosine, dot(x, y) / Math.sqrt(dot(x, x) * dot(y, y)))
  }
  return { maxDifference, leastCosine }
}

function dot(x: Float32Array, y: Float32Array): number {
  let sum = 0
  for (let i = 0; i < x.length; i++) sum += x[i]! * y[i]!
  return sum
}

/** fairseq's padding id. */
const PAD_ID = 1

function sameTokens(ours: readonly (readonly number[])[], golden: TensorData): boolean {
  const width = golden.dims[1]!
  return ours.every((ids, row) => {
    const padded = Array.from({ length: Math.max(width, ids.length) }, (_, i) => ids[i] ?? PAD_ID)
    return padded.every((id, i) => BigInt(id) === (golden.data as BigInt64Array)[row * width + i])
  })
}
