/**
 * The port of the converter to the files others trained: a path in, named tensors and the configuration out. The kind of
 * file is told by its content. Opening reads names and places only; a tensor's bytes are read when asked for.
 */
import { type FileHandle, open } from 'node:fs/promises'
import { CheckpointError } from './checkpoint-error.ts'
import { openSafetensors } from './safetensors.ts'
import {
  DTYPE_BYTES,
  elementCount,
  float32Sink,
  rawSink,
  readElements,
  type TensorInfo,
  type TensorLayout,
} from './tensor-layout.ts'
import { openTorchZip } from './torch-zip.ts'

/** Bytes that a tensor takes in its file. */
export const tensorBytes = ({ dtype, shape }: TensorInfo): number => elementCount(shape) * DTYPE_BYTES[dtype]

export { CheckpointError } from './checkpoint-error.ts'
export type { CheckpointDtype, TensorInfo } from './tensor-layout.ts'

export interface Checkpoint {
  /**
   * Nested plain `cfg` of the file. Torch: `args` of the top-level dict if it is not None, else its `cfg`, else `{}`
   * (spec §3). Safetensors: the JSON in `__metadata__.cfg`, else `{}`.
   */
  readonly cfg: Readonly<Record<string, unknown>>
  /** Tensors of `model`, in file order, by name. */
  readonly tensors: ReadonlyMap<string, TensorInfo>
  /**
   * The tensor as contiguous float32, converted exactly as torch's `.float()` (integers beyond 2^53 aside).
   * @throws CheckpointError if there is no such tensor or the file ends early
   */
  readFloat32(name: string): Promise<Float32Array>
  /**
   * Raw contiguous little-endian bytes in the stored dtype.
   * @throws CheckpointError if there is no such tensor or the file ends early
   */
  readRaw(name: string): Promise<Uint8Array>
  close(): Promise<void>
}

/** What a format reader finds in a file: the configuration, and where each tensor lies (checked against the file). */
type Contents = { cfg: Record<string, unknown>; layouts: Map<string, TensorLayout> }

/**
 * Opens a torch zip file or a safetensors file.
 * @throws CheckpointError if it is neither, damaged, or a pickle in it asks for more than data
 */
export async function openCheckpoint(path: string): Promise<Checkpoint> {
  const handle = await open(path, 'r').catch((cause: Error) => {
    throw new CheckpointError(`Cannot open the checkpoint ${path}: ${cause.message}.`, { cause })
  })
  try {
    return new FileCheckpoint(handle, await readContents(handle))
  } catch (cause) {
    await handle.close()
    if (!(cause instanceof CheckpointError)) throw cause
    throw new CheckpointError(`Cannot read the checkpoint ${path}. ${cause.message}`, { cause })
  }
}

async function readContents(handle: FileHandle): Promise<Contents> {
  const { size } = await handle.stat()
  const head = new Uint8Array(16)
  const { bytesRead } = await handle.read(head, 0, head.length, 0)
  const startsWith = (...bytes: number[]) => bytesRead >= bytes.length && bytes.every((byte, i) => head[i] === byte)
  if (startsWith(0x50, 0x4b, 0x03, 0x04)) return openTorchZip(handle, size)
  if (startsWith(0x1f, 0x8b)) throw new CheckpointError('It is gzip-compressed; unpack it with gunzip first.')
  if (startsWith(0x80)) {
    throw new CheckpointError('It is a torch file from before 1.6; load and save it once with a newer torch.')
  }
  if (bytesRead > 8 && head[8] === 0x7b) return openSafetensors(handle, size)
  throw new CheckpointError('It is neither a torch zip file nor a safetensors file; check that the download is whole.')
}

class FileCheckpoint implements Checkpoint {
  readonly cfg: Readonly<Record<string, unknown>>
  readonly tensors: ReadonlyMap<string, TensorInfo>
  private readonly layouts: Map<string, TensorLayout>

  constructor(
    private readonly handle: FileHandle,
    contents: Contents,
  ) {
    this.cfg = contents.cfg
    this.layouts = contents.layouts
    this.tensors = new Map(
      [...contents.layouts.values()].map(({ name, dtype, shape }) => [name, { name, dtype, shape }]),
    )
  }

  async readFloat32(name: string): Promise<Float32Array> {
    const layout = this.layout(name)
    const out = new Float32Array(elementCount(layout.shape))
    await readElements(this.handle, layout, float32Sink(out, layout.dtype))
    return out
  }

  async readRaw(name: string): Promise<Uint8Array> {
    const layout = this.layout(name)
    const out = new Uint8Array(elementCount(layout.shape) * DTYPE_BYTES[layout.dtype])
    await readElements(this.handle, layout, rawSink(out, layout.dtype))
    return out
  }

  close(): Promise<void> {
    return this.handle.close()
  }

  private layout(name: string): TensorLayout {
    const layout = this.layouts.get(name)
    if (!layout) throw new CheckpointError(`The checkpoint holds no tensor "${name}".`)
    return layout
  }
}
