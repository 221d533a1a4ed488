/** Streams checkpoints' tensors into the one weights file of a bundle, in the bundle's precision. */
import type { Precision } from '../bundle/manifest.ts'
import type { Checkpoint } from '../checkpoint/checkpoint.ts'
import { IMAGE_BUCKETS } from '../model/image-adapter.ts'
import { imageBuckets } from '../model/positions.ts'
import { DEFAULT_LOGIT_SCALE, LOGIT_SCALE } from '../model/tensors.ts'
import type { ExternalDataWriter, ExternalTensor } from '../onnx/external-data.ts'
import type { Weights } from '../onnx/graph-builder.ts'
import { toHalf } from '../onnx/half.ts'
import { ConvertError } from './convert-error.ts'
import type { Source } from './source.ts'

/**
 * Adds the tensors of one checkpoint, holding one at a time.
 * @returns where they lie, by their names in the checkpoint
 * @throws ConvertError where a value has no half
 */
export async function writeWeights(
  writer: ExternalDataWriter,
  { checkpoint, plan, config }: Source,
  precision: Precision,
  onTensor: () => void,
): Promise<Weights> {
  const weights = new Map<string, ExternalTensor>()
  for (const { name, storedShape, store } of plan) {
    const values = store(await checkpoint.readFloat32(name))
    const stored = precision === 'fp16' ? halves(name, values) : values
    weights.set(name, await writer.add(precision === 'fp16' ? 'float16' : 'float32', storedShape, bytesOf(stored)))
    onTensor()
  }
  if (config.image) {
    const tokens = config.image.relBucketSize ** 2 + 1
    const buckets = bytesOf(imageBuckets(config.image.relBucketSize))
    weights.set(IMAGE_BUCKETS, await writer.add('int32', [tokens, tokens], buckets))
  }
  return weights
}

function halves(name: string, values: Float32Array): Uint16Array {
  try {
    return toHalf(values)
  } catch (cause) {
    throw new ConvertError(`${name} cannot be stored as fp16: convert with --precision fp32.`, { cause })
  }
}

const bytesOf = (array: Float32Array | Int32Array | Uint16Array): Uint8Array =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength)

/** exp of `logit_scale` clamped to [0, ln 100], as the model uses it (one_peace_retrieval.py:96-100). */
export async function readLogitScale(checkpoint: Checkpoint): Promise<number> {
  const stored = checkpoint.tensors.has(LOGIT_SCALE)
    ? (await checkpoint.readFloat32(LOGIT_SCALE))[0]!
    : DEFAULT_LOGIT_SCALE
  return Math.exp(Math.min(Math.max(stored, 0), Math.log(100)))
}
