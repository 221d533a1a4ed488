/** Streams checkpoints' tensors into the one weights file of a bundle, in the bundle's precision. */
import type { Precision } from '../bundle/manifest.ts'
import { type Checkpoint, tensorBytes } from '../checkpoint/checkpoint.ts'
import { IMAGE_BUCKETS } from '../model/image-adapter.ts'
import { imageBuckets } from '../model/positions.ts'
import type { TensorPlan } from '../model/tensor-plan.ts'
import { DEFAULT_LOGIT_SCALE, LOGIT_SCALE } from '../model/tensors.ts'
import type { ExternalDataWriter, ExternalTensor } from '../onnx/external-data.ts'
import type { Weights } from '../onnx/graph-builder.ts'
import { scaleName } from '../onnx/quantise.ts'
import { ConvertError } from './convert-error.ts'
import type { Encoded } from './encode.ts'
import { EncoderThread } from './encoder-thread.ts'
import { storedAs } from './precision.ts'
import type { Source } from './source.ts'

/**
 * Adds the tensors of one checkpoint: one is written, the next encoded and the one after it read at a time.
 * @param onTensor told of each tensor's bytes in the checkpoint once it is written
 * @returns where they lie, by their names in the checkpoint
 * @throws ConvertError where a value has no half
 */
export async function writeWeights(
  writer: ExternalDataWriter,
  source: Source,
  precision: Precision,
  onTensor: (sourceBytes: number) => void,
): Promise<Weights> {
  const { checkpoint, config } = source
  const weights = new Map<string, ExternalTensor>()
  const thread = new EncoderThread()
  try {
    for await (const [{ name }, { tensor, data, scales }] of encodeAhead(thread, source, precision)) {
      const { dtype, dims, blocks } = tensor
      weights.set(name, { ...(await writer.add(dtype, dims, bytesOf(data))), ...(blocks && { blocks }) })
      if (scales) weights.set(scaleName(name), await writer.add('float32', [scales.length], bytesOf(scales)))
      onTensor(tensorBytes(checkpoint.tensors.get(name)!))
    }
  } finally {
    await thread.close()
  }
  if (config.image) {
    const tokens = config.image.relBucketSize ** 2 + 1
    const buckets = bytesOf(imageBuckets(config.image.relBucketSize))
    weights.set(IMAGE_BUCKETS, await writer.add('int32', [tokens, tokens], buckets))
  }
  return weights
}

/** How many tensors are on their way while the caller writes one: one that is encoded, and one that is read. */
const AHEAD = 2

/** The planned tensors in their order, encoded. */
async function* encodeAhead(
  thread: EncoderThread,
  { checkpoint, plan }: Source,
  precision: Precision,
): AsyncGenerator<[TensorPlan, Encoded]> {
  const begin = (planned: TensorPlan): Promise<Encoded> => {
    const { name, role, storedShape: shape, store } = planned
    const task = checkpoint.readFloat32(name).then((values) => ({ role, shape, values: store(values) }))
    const encoded = task.then((read) => thread.encode({ ...read, as: storedAs(planned, precision) }))
    encoded.catch(() => {}) // told when its turn comes
    return encoded
  }
  const begun: Promise<Encoded>[] = []
  for (const [index, planned] of plan.entries()) {
    for (let next = begun.length; next < Math.min(plan.length, index + 1 + AHEAD); next++)
      begun.push(begin(plan[next]!))
    yield [planned, await begun[index]!.catch((cause) => refuse(planned, cause))]
    delete begun[index]
  }
}

/** @throws ConvertError where a value has no half, else what was given */
function refuse({ name }: TensorPlan, cause: unknown): never {
  if (!(cause instanceof RangeError)) throw cause
  throw new ConvertError(`${name} cannot be stored as fp16: convert with --precision fp32.`, { cause })
}

const bytesOf = (array: ArrayBufferView): Uint8Array => new Uint8Array(array.buffer, array.byteOffset, array.byteLength)

/** exp of `logit_scale` clamped to [0, ln 100], as the model uses it (one_peace_retrieval.py:96-100). */
export async function readLogitScale(checkpoint: Checkpoint): Promise<number> {
  const stored = checkpoint.tensors.has(LOGIT_SCALE)
    ? (await checkpoint.readFloat32(LOGIT_SCALE))[0]!
    : DEFAULT_LOGIT_SCALE
  return Math.exp(Math.min(Math.max(stored, 0), Math.log(100)))
}
