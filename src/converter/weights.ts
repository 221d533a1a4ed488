/** Streams a checkpoint's tensors into the one weights file of a bundle, in the bundle's precision. */
import type { BundleFile, Precision } from '../bundle/manifest.ts'
import type { Checkpoint } from '../checkpoint/checkpoint.ts'
import type { ModelConfig } from '../model/config.ts'
import { IMAGE_BUCKETS } from '../model/image-adapter.ts'
import { imageBuckets } from '../model/positions.ts'
import { DEFAULT_LOGIT_SCALE, LOGIT_SCALE, type TensorPlan } from '../model/tensors.ts'
import { ExternalDataWriter, type ExternalTensor } from '../onnx/external-data.ts'
import { toHalf } from '../onnx/half.ts'
import { ConvertError } from './convert-error.ts'

/** Holds one tensor at a time. @throws ConvertError where a value has no half */
export async function writeWeights(
  checkpoint: Checkpoint,
  plan: readonly TensorPlan[],
  config: ModelConfig,
  path: string,
  precision: Precision,
  onProgress?: (done: number, total: number) => void,
): Promise<{ file: BundleFile; tensors: ReadonlyMap<string, ExternalTensor> }> {
  const writer = await ExternalDataWriter.create(path)
  try {
    for (const [index, { name, storedShape, store }] of plan.entries()) {
      const values = store(await checkpoint.readFloat32(name))
      if (precision === 'fp16') await writer.add(name, 'float16', storedShape, bytesOf(halves(name, values)))
      else await writer.add(name, 'float32', storedShape, bytesOf(values))
      onProgress?.(index + 1, plan.length)
    }
    if (config.image) await addImageBuckets(writer, config.image.relBucketSize)
    return { file: await writer.finish(), tensors: writer.tensors }
  } catch (error) {
    await writer.abandon()
    throw error
  }
}

async function addImageBuckets(writer: ExternalDataWriter, relBucketSize: number): Promise<void> {
  const tokens = relBucketSize ** 2 + 1
  await writer.add(IMAGE_BUCKETS, 'int32', [tokens, tokens], bytesOf(imageBuckets(relBucketSize)))
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
