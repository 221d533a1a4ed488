/**
 * Proves a bundle equal to the reference: runs every golden case it serves through its graphs and compares.
 *
 *   case ─ inputs (given, or stacked from the media's prepared arrays) ─ graph ─ outputs ─ |difference|
 *        └ texts ─ tokenizer ─ ids equal to the given ones?
 */
import type { BundleManifest, HeadSpec, HeadTask, Precision } from '../bundle/manifest.ts'
import { MODALITIES, type Modality } from '../modality.ts'
import type { Tokenizer } from '../preprocess/tokenizer.ts'
import { compare, leastCosine } from './compare.ts'
import { inputsOf, required, type Tensors } from './golden-inputs.ts'
import type { GoldenCase, Goldens } from './goldens.ts'
import { compareOutputs, headFor, headInputs, type OutputResult, tasksOf } from './verify-head.ts'

/** Runs a graph of the bundle and gives all its outputs. */
export type RunGraph = (graph: string, inputs: Tensors) => Promise<Tensors>

/**
 * Largest |difference| allowed in a component of a unit embedding. fp32: three orders above what is measured (4e-7) and
 * below every mistake that the specification lists (a tanh GELU shows at 8e-5). fp16 weights carry 11 bits: a relative
 * 4.9e-4 a weight, measured 9e-4 at most on the goldens.
 */
export const EMBEDDING_TOLERANCE: Record<Precision, number> = {
  fp32: 2e-5,
  fp16: 5e-3,
  int8: 5e-2,
  'int8-block': 2e-2,
  int4: 2e-1,
}

export interface CaseResult {
  name: string
  kind: string
  /** Largest |difference| over the embeddings, or the logits of a head. */
  maxDifference: number
  /** Least cosine between an embedding and its golden. */
  leastCosine?: number
  /** Largest |difference| over an embedding's token features, where the goldens hold them; reported, not judged. */
  maxHiddenDifference?: number
  /** Of a head: every output that the golden holds, each judged. */
  outputs?: OutputResult[]
  /** Whether our token ids equal the golden ones, for texts. */
  tokensEqual?: boolean
  passed: boolean
}

export interface VerifyReport {
  checkpoint: string
  /** Of embeddings; those of heads are `HEAD_TOLERANCE`. */
  tolerance: number
  cases: CaseResult[]
  leftOut: { name: string; reason: string }[]
  /** At least one case ran and all that ran passed. */
  passed: boolean
}

/** What a case runs with. */
interface Rig {
  manifest: BundleManifest
  goldens: Goldens
  run: RunGraph
  tokenizer: Tokenizer | undefined
}

export async function verifyBundle(
  manifest: BundleManifest,
  goldens: Goldens,
  checkpoint: string,
  run: RunGraph,
  tokenizer: Tokenizer | undefined,
): Promise<VerifyReport> {
  const rig: Rig = { manifest, goldens, run, tokenizer }
  const tolerance = EMBEDDING_TOLERANCE[manifest.precision]
  const report: VerifyReport = { checkpoint, tolerance, cases: [], leftOut: [], passed: false }
  for (const golden of goldens.cases) {
    const result =
      golden.checkpoint === checkpoint ? await runCase(golden, rig) : `made with checkpoint ${golden.checkpoint}`
    if (typeof result === 'string') report.leftOut.push({ name: golden.name, reason: result })
    else report.cases.push(result)
  }
  report.passed = report.cases.length > 0 && report.cases.every(({ passed }) => passed)
  return report
}

/** The result, or the reason why the bundle cannot serve the case. */
async function runCase(golden: GoldenCase, rig: Rig): Promise<CaseResult | string> {
  const { kind } = golden
  if (isModality(kind)) return rig.manifest[kind] ? runEmbedding(golden, kind, rig) : `the bundle has no ${kind} branch`
  const head = headFor(golden, rig.manifest)
  if (head) return runHead(golden, head, rig)
  return tasksOf(kind).length > 0
    ? `the bundle has no one head for ${kind}`
    : `the bundle has no graph for kind ${kind}`
}

const isModality = (kind: string): kind is Modality => (MODALITIES as readonly string[]).includes(kind)

async function runEmbedding(golden: GoldenCase, kind: Modality, rig: Rig): Promise<CaseResult | string> {
  const { manifest, goldens } = rig
  const inputs = await inputsOf(golden, goldens, [kind])
  const misfit = sizeMisfit(golden, inputs, manifest.image?.sizePx)
  if (misfit) return misfit
  const outputs = await rig.run(manifest[kind]!.graph, inputs)
  const expected = await required(goldens.output(golden, 'features'), golden, 'the expected features')
  const tolerance = { absolute: EMBEDDING_TOLERANCE[manifest.precision], relative: 0 }
  const compared = compare(outputs.embedding!, expected, tolerance, golden.name)
  const result: CaseResult = {
    name: golden.name,
    kind,
    ...compared,
    leastCosine: leastCosine(outputs.embedding!, expected),
  }
  const hidden = await goldens.output(golden, 'hidden')
  if (hidden) result.maxHiddenDifference = compare(outputs.hidden!, hidden, tolerance, golden.name).maxDifference
  return judgeTokens(result, golden, inputs, rig.tokenizer && ((text) => rig.tokenizer!.encode(text).tokenIds))
}

async function runHead(golden: GoldenCase, head: HeadSpec, rig: Rig): Promise<CaseResult | string> {
  const inputs = await headInputs(golden, rig.goldens, head)
  const misfit = sizeMisfit(golden, inputs, head.image?.sizePx)
  if (misfit) return misfit
  const outputs = await compareOutputs(golden, rig.goldens, await rig.run(head.graph, inputs), rig.manifest.precision)
  const { maxDifference } = outputs.find(({ name }) => name === 'logits')!
  const passed = outputs.every((output) => output.passed)
  const result: CaseResult = { name: golden.name, kind: golden.kind, maxDifference, outputs, passed }
  return judgeTokens(result, golden, inputs, rig.tokenizer && tokenize(head.task, rig.tokenizer))
}

/** A picture of another side than the graph's own cannot be fed to it. */
function sizeMisfit(golden: GoldenCase, inputs: Tensors, takesPx: number | undefined): string | undefined {
  const sizePx = inputs.src_images?.dims[2] ?? golden.patch_image_size
  if (sizePx === undefined || sizePx === takesPx) return undefined
  return `made for pictures of ${sizePx} pixels, the bundle takes ${takesPx ?? 'none'}`
}

type Tokenize = (text: string) => readonly number[]

/** How each task's data set reads its texts (spec §10); an answer choice is given as a whole text. */
function tokenize(task: HeadTask, tokenizer: Tokenizer): Tokenize {
  if (task === 'answer-choice') return (text) => tokenizer.encodeAll(text)
  if (task === 'grounding') return (text) => tokenizer.encodeGrounding(text).tokenIds
  return (text) => tokenizer.encodeDataset(text).tokenIds
}

function judgeTokens(
  result: CaseResult,
  golden: GoldenCase,
  inputs: Tensors,
  tokenize: Tokenize | undefined,
): CaseResult {
  if (!inputs.src_tokens || !golden.texts || !tokenize) return result
  const tokensEqual = sameTokens(golden.texts.map(tokenize), inputs.src_tokens)
  return { ...result, tokensEqual, passed: result.passed && tokensEqual }
}

/** fairseq's padding id. */
const PAD_ID = 1

function sameTokens(ours: readonly (readonly number[])[], golden: Tensors[string]): boolean {
  const width = golden.dims[1]!
  return ours.every((ids, row) => {
    const padded = Array.from({ length: Math.max(width, ids.length) }, (_, i) => ids[i] ?? PAD_ID)
    return padded.every((id, i) => BigInt(id) === (golden.data as BigInt64Array)[row * width + i])
  })
}
