/** Streams checkpoints' tensors into the one weights file of a bundle, in the bundle's precision. */
import type { Precision } from '../bundle/manifest.ts'
import { type Checkpoint, tensorBytes } from '../checkpoint/checkpoint.ts'
import { IMAGE_BUCKETS } from '../model/image-adapter.ts'
import { imageBuckets } from '../model/positions.ts'
import type { TensorPlan } from '../model/tensor-plan.ts'
import { DEFAULT_LOGIT_SCALE, LOGIT_SCALE } from '../model/tensors.ts'
import type { ExternalDataWriter, ExternalTensor } from '../onnx/external-data.ts'
import type { Weights } from '../onnx/graph-builder.ts'
import { toHalf } from '../onnx/half.ts'
import { quantiseBlocks, quantiseRows, scaleName, transpose } from '../onnx/quantise.ts'
import { ConvertError } from './convert-error.ts'
import { storedAs } from './precision.ts'
import type { Source } from './source.ts'

/** A tensor ready to be written, and its scales where it has some. */
interface Stored {
  tensor: Omit<ExternalTensor, 'location'>
  data: ArrayBufferView
  scales?: Float32Array
}

/**
 * Adds the tensors of one checkpoint: one is read, one encoded, one written at a time.
 * @param onTensor told of each tensor's bytes in the checkpoint once it is written
 * @returns where they lie, by their names in the checkpoint
 * @throws ConvertError where a value has no half
 */
export async function writeWeights(
  writer: ExternalDataWriter,
  { checkpoint, plan, config }: Source,
  precision: Precision,
  onTensor: (sourceBytes: number) => void,
): Promise<Weights> {
  const weights = new Map<string, ExternalTensor>()
  for await (const [planned, values] of readAhead(checkpoint, plan)) {
    const { name } = planned
    const { tensor, data, scales } = encode(planned, planned.store(values), precision)
    const { blocks } = tensor
    weights.set(name, { ...(await writer.add(tensor.dtype, tensor.dims, bytesOf(data))), ...(blocks && { blocks }) })
    if (scales) weights.set(scaleName(name), await writer.add('float32', [scales.length], bytesOf(scales)))
    onTensor(tensorBytes(checkpoint.tensors.get(name)!))
  }
  if (config.image) {
    const tokens = config.image.relBucketSize ** 2 + 1
    const buckets = bytesOf(imageBuckets(config.image.relBucketSize))
    weights.set(IMAGE_BUCKETS, await writer.add('int32', [tokens, tokens], buckets))
  }
  return weights
}

/** The planned tensors' values, the next being read while the caller works at one. */
async function* readAhead(
  checkpoint: Checkpoint,
  plan: readonly TensorPlan[],
): AsyncGenerator<[TensorPlan, Float32Array]> {
  const read = (index: number) => {
    const reading = index < plan.length ? checkpoint.readFloat32(plan[index]!.name) : undefined
    reading?.catch(() => {}) // told when its turn comes
    return reading
  }
  let next = read(0)
  for (const [index, planned] of plan.entries()) {
    const values = await next!
    next = read(index + 1)
    yield [planned, values]
  }
}

function encode(plan: TensorPlan, values: Float32Array, precision: Precision): Stored {
  const as = storedAs(plan, precision)
  const { role, storedShape } = plan
  const [rows, columns] = storedShape as [number, number]
  const dims = role === 'matrix' ? [columns, rows] : storedShape
  const turned = () => (role === 'matrix' ? transpose(values, rows, columns) : values)
  if (as.kind === 'floats') return { tensor: { dtype: 'float32', dims }, data: turned() }
  if (as.kind === 'halves') return { tensor: { dtype: 'float16', dims }, data: halves(plan.name, turned()) }
  if (as.kind === 'rows') {
    const { values: steps, scales } = quantiseRows(values, rows)
    return { tensor: { dtype: 'int8', dims }, data: transpose(steps, rows, columns), scales }
  }
  const { bits, size } = as
  const blocks = { bits, size, columns }
  const { values: data, scales } = quantiseBlocks(values, blocks)
  const perRow = Math.ceil(columns / size)
  return { tensor: { dtype: 'uint8', dims: [rows, perRow, (size * bits) / 8], blocks }, data, scales }
}

function halves(name: string, values: Float32Array): Uint16Array {
  try {
    return toHalf(values)
  } catch (cause) {
    throw new ConvertError(`${name} cannot be stored as fp16: convert with --precision fp32.`, { cause })
  }
}

const bytesOf = (array: ArrayBufferView): Uint8Array => new Uint8Array(array.buffer, array.byteOffset, array.byteLength)

/** exp of `logit_scale` clamped to [0, ln 100], as the model uses it (one_peace_retrieval.py:96-100). */
export async function readLogitScale(checkpoint: Checkpoint): Promise<number> {
  const stored = checkpoint.tensors.has(LOGIT_SCALE)
    ? (await checkpoint.readFloat32(LOGIT_SCALE))[0]!
    : DEFAULT_LOGIT_SCALE
  return Math.exp(Math.min(Math.max(stored, 0), Math.log(100)))
}
