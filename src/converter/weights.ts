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
 * Adds the tensors of one checkpoint: while one is written, the next are encoded and read.
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
      weights.set(name, { ...tensor, ...(await writer.add(tensor.dtype, tensor.dims, bytesOf(data))) })
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

/** Bytes of the checkpoint that are read and encoded ahead of what is written: a few matrices of the largest official model. */
const AHEAD_BYTES = 64 << 20

/** The planned tensors in their order, encoded. */
async function* encodeAhead(
  thread: EncoderThread,
  { checkpoint, plan }: Source,
  precision: Precision,
): AsyncGenerator<[TensorPlan, Encoded]> {
  const begin = (planned: TensorPlan) => {
    const { name, role, storedShape: shape, store } = planned
    const task = checkpoint.readFloat32(name).then((values) => ({ role, shape, values: store(values) }))
    const as = storedAs(planned, precision)
    const encoded = task.then((read) => thread.encode({ ...read, as }).catch((cause) => refuse(planned, cause)))
    encoded.catch(() => {}) // told when its turn comes
    return { planned, encoded, bytes: tensorBytes(checkpoint.tensors.get(name)!) }
  }
  const begun: ReturnType<typeof begin>[] = []
  let ahead = 0
  for (let next = 0; next < plan.length || begun.length > 0; ) {
    while (next < plan.length && (begun.length === 0 || ahead < AHEAD_BYTES)) {
      begun.push(begin(plan[next++]!))
      ahead += begun.at(-1)!.bytes
    }
    const { planned, encoded, bytes } = begun.shift()!
    yield [planned, await encoded]
    ahead -= bytes
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
