/**
 * One golden case of a fine-tuned head: `logits`, what follows from them (boxes, probabilities, the chosen answer) and the
 * token features, each against the reference's own.
 */
import type { BundleManifest, HeadSpec, HeadTask, Precision } from '../bundle/manifest.ts'
import { HEAD_TASKS } from '../bundle/manifest.ts'
import type { TensorData } from '../encoder/onnx-session.ts'
import type { Modality } from '../modality.ts'
import { compare, type Tolerance } from './compare.ts'
import { inputsOf, repeatRows, required, type Tensors } from './golden-inputs.ts'
import type { GoldenCase, Goldens } from './goldens.ts'

/**
 * `scores`: logits and token features; `unit`: what lies between 0 and 1. fp32: logits as the specification says (§15),
 * measured 2e-6 and 7e-6 in features. fp16: measured on the goldens 3e-3, 1.2e-2 in features, 6e-4 in `unit`.
 */
export const HEAD_TOLERANCE: Record<Precision, { scores: Tolerance; unit: Tolerance }> = {
  fp32: { scores: { absolute: 2e-4, relative: 1e-4 }, unit: { absolute: 2e-5, relative: 0 } },
  fp16: { scores: { absolute: 2e-2, relative: 1e-2 }, unit: { absolute: 2e-3, relative: 0 } },
  int8: { scores: { absolute: 2e-1, relative: 1e-1 }, unit: { absolute: 5e-2, relative: 0 } },
  'int8-block': { scores: { absolute: 2e-1, relative: 1e-1 }, unit: { absolute: 2e-2, relative: 0 } },
  int4: { scores: { absolute: 1, relative: 5e-1 }, unit: { absolute: 2e-1, relative: 0 } },
}

/** The reference's names of its cases; a case may also be called by the task itself. */
const TASKS_OF_KIND: Record<string, readonly HeadTask[]> = {
  audio_classify: ['classification', 'multi-label'],
  aqa: ['answer-choice'],
  vqa: ['answering'],
  nlvr2: ['pair-reasoning'],
}

export interface OutputResult {
  name: string
  maxDifference: number
  passed: boolean
}

/** Tasks that a golden case of this kind is for. */
export const tasksOf = (kind: string): readonly HeadTask[] =>
  TASKS_OF_KIND[kind] ?? HEAD_TASKS.filter((task) => task === kind)

/** The head that serves a case: the one of its task, or of several the one named as the checkpoint. */
export function headFor(golden: GoldenCase, manifest: BundleManifest): HeadSpec | undefined {
  const able = (manifest.heads ?? []).filter(({ task }) => tasksOf(golden.kind).includes(task))
  return able.length === 1 ? able[0] : able.find(({ name }) => name === golden.checkpoint)
}

/** Inputs of a head's graph; where fewer sounds than texts are given, each serves as many texts in succession. */
export async function headInputs(golden: GoldenCase, goldens: Goldens, head: HeadSpec): Promise<Tensors> {
  const modalities = head.inputs.filter((role): role is Modality => role !== 'image2')
  const tensors = await inputsOf(golden, goldens, modalities)
  const rows = Math.max(...Object.values(tensors).map(({ dims }) => dims[0]!))
  return Object.fromEntries(
    Object.entries(tensors).map(([name, given]) => [name, repeatRows(given, rows / given.dims[0]!)]),
  )
}

/** Every output of the case that we have or can derive, `logits` first. @throws GoldensError if the case has no logits */
export async function compareOutputs(
  golden: GoldenCase,
  goldens: Goldens,
  outputs: Tensors,
  precision: Precision,
): Promise<OutputResult[]> {
  await required(goldens.output(golden, 'logits'), golden, 'the expected logits')
  const results: OutputResult[] = []
  for (const [name, { kind, from }] of Object.entries({ ...outputsAsTheyAre(outputs), ...DERIVED })) {
    const expected = await goldens.output(golden, name)
    if (!expected) continue
    const actual = await from(outputs, { golden, goldens, shape: expected.shape })
    results.push({
      name,
      ...compare(actual, expected, toleranceOf(kind, precision, actual), `${golden.name}, ${name}`),
    })
  }
  return results
}

/** What an output is, which says how exact it must be. */
type Kind = 'scores' | 'unit' | 'pixels' | 'number'

interface Derivation {
  kind: Kind
  from(
    outputs: Tensors,
    of: { golden: GoldenCase; goldens: Goldens; shape: number[] },
  ): TensorData | Promise<TensorData>
}

function toleranceOf(kind: Kind, precision: Precision, actual: TensorData): Tolerance {
  const { scores, unit } = HEAD_TOLERANCE[precision]
  if (kind === 'number') return { absolute: 0, relative: 0 }
  if (kind === 'pixels') return { absolute: unit.absolute * Math.max(...(actual.data as Float32Array)), relative: 0 }
  return kind === 'unit' ? unit : scores
}

function outputsAsTheyAre(outputs: Tensors): Record<string, Derivation> {
  const kindOf = (name: string): Kind => (name === 'boxes' ? 'unit' : 'scores')
  return Object.fromEntries(
    Object.entries(outputs).map(([name, value]) => [name, { kind: kindOf(name), from: () => value }]),
  )
}

const DERIVED: Record<string, Derivation> = {
  softmax: { kind: 'unit', from: ({ logits }) => byRow(logits!, softmax) },
  sigmoid: { kind: 'unit', from: ({ logits }) => byRow(logits!, (row) => row.map((x) => 1 / (1 + Math.exp(-x)))) },
  choice_logits: { kind: 'scores', from: ({ logits }, { shape }) => ({ ...logits!, dims: shape }) },
  choice: { kind: 'number', from: ({ logits }, { shape }) => bestOf(logits!, shape[0]!) },
  boxes_pixels: { kind: 'pixels', from: ({ boxes }, { golden, goldens }) => inPixels(boxes!, golden, goldens) },
}

function byRow(tensor: TensorData, map: (row: Float32Array) => Float32Array): TensorData {
  const width = tensor.dims.at(-1)!
  const data = new Float32Array(tensor.data.length)
  for (let at = 0; at < data.length; at += width) data.set(map((tensor.data as Float32Array).slice(at, at + width)), at)
  return { ...tensor, data }
}

function softmax(row: Float32Array): Float32Array {
  const largest = Math.max(...row)
  const powers = row.map((x) => Math.exp(x - largest))
  const sum = powers.reduce((total, power) => total + power, 0)
  return powers.map((power) => power / sum)
}

/** Of each question's equally many proposals the best one's number. */
function bestOf(logits: TensorData, questions: number): TensorData {
  const choices = logits.data.length / questions
  const scores = logits.data as Float32Array
  const best = Array.from({ length: questions }, (_, question) => {
    const own = scores.subarray(question * choices, (question + 1) * choices)
    return BigInt(own.indexOf(Math.max(...own)))
  })
  return { dtype: 'int64', dims: [questions], data: BigInt64Array.from(best) }
}

/** (B, 4) as fractions → in pixels of the original pictures. */
async function inPixels(boxes: TensorData, golden: GoldenCase, goldens: Goldens): Promise<TensorData> {
  const widths = await required(goldens.input(golden, 'image_widths'), golden, 'image_widths')
  const heights = await required(goldens.input(golden, 'image_heights'), golden, 'image_heights')
  const data = (boxes.data as Float32Array).map(
    (value, i) => value * Number((i % 2 === 0 ? widths : heights).data[Math.floor(i / 4)]),
  )
  return { ...boxes, data }
}
