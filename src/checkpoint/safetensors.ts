/**
 * A safetensors file → configuration and places of tensors.
 *
 *   0        8                8 + n
 *   ┌────────┬────────────────┬──────────────────────────────┐
 *   │ n: u64 │ JSON, n bytes  │ data: the tensors, contiguous │
 *   └────────┴────────────────┴──────────────────────────────┘
 *   JSON: {"__metadata__": {string: string}, "<name>": {"dtype": "F32", "shape": […], "data_offsets": [from, to]}}
 *
 * Offsets count from the start of the data; tensors must not overlap. As the format says, the header is at most 100 MB.
 * Reference: https://github.com/huggingface/safetensors#format
 */
import type { FileHandle } from 'node:fs/promises'
import { CheckpointError } from './checkpoint-error.ts'
import {
  type CheckpointDtype,
  checkLayout,
  contiguousStrides,
  DTYPE_BYTES,
  elementCount,
  readFully,
  type TensorLayout,
} from './tensor-layout.ts'

const MAX_HEADER_BYTES = 100_000_000

const DTYPES: Readonly<Record<string, CheckpointDtype>> = {
  F64: 'float64',
  F32: 'float32',
  F16: 'float16',
  BF16: 'bfloat16',
  I64: 'int64',
  I32: 'int32',
  I16: 'int16',
  I8: 'int8',
  U8: 'uint8',
  BOOL: 'bool',
}

type Json = Record<string, unknown>

/**
 * @throws CheckpointError if the header is damaged, or a tensor lies outside the file or over another
 */
export async function openSafetensors(
  handle: FileHandle,
  fileBytes: number,
): Promise<{ cfg: Record<string, unknown>; layouts: Map<string, TensorLayout> }> {
  const length = await headerLength(handle, fileBytes)
  const header = await readHeader(handle, length)
  const { __metadata__: metadata, ...tensors } = header
  const layouts = Object.entries(tensors).map(([name, value]) => layoutOf(name, value, 8 + length))
  for (const layout of layouts) checkLayout(layout, fileBytes)
  layouts.sort((a, b) => a.storageStart - b.storageStart)
  refuseOverlap(layouts)
  return { cfg: configOf(metadata), layouts: new Map(layouts.map((layout) => [layout.name, layout])) }
}

async function headerLength(handle: FileHandle, fileBytes: number): Promise<number> {
  const prefix = new Uint8Array(8)
  await readFully(handle, prefix, 0, 'its header')
  const length = Number(new DataView(prefix.buffer).getBigUint64(0, true))
  if (length > MAX_HEADER_BYTES || 8 + length > fileBytes) {
    throw new CheckpointError(`It claims a header of ${length} bytes; it is damaged or no safetensors file.`)
  }
  return length
}

async function readHeader(handle: FileHandle, length: number): Promise<Json> {
  const bytes = new Uint8Array(length)
  await readFully(handle, bytes, 8, 'its header')
  try {
    const header: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
    if (isRecord(header)) return header
  } catch (cause) {
    throw new CheckpointError('Its header is not JSON; it is damaged, so fetch it again.', { cause })
  }
  throw new CheckpointError('Its header is not a JSON object; it is damaged, so fetch it again.')
}

function layoutOf(name: string, value: unknown, dataStart: number): TensorLayout {
  const { dtype: code, shape, data_offsets: range } = isRecord(value) ? value : {}
  const dtype = typeof code === 'string' && Object.hasOwn(DTYPES, code) ? DTYPES[code] : undefined
  if (!dtype) throw new CheckpointError(`Tensor "${name}" has the dtype ${String(code)}, which is not supported.`)
  if (!isCounts(shape) || !isCounts(range) || range.length !== 2) {
    throw new CheckpointError(`Tensor "${name}" has a malformed shape or place; fetch the file again.`)
  }
  const [from, to] = range as [number, number]
  const storageElements = elementCount(shape)
  if (to - from !== storageElements * DTYPE_BYTES[dtype]) {
    throw new CheckpointError(`Tensor "${name}" has ${to - from} bytes, which is not its shape; fetch the file again.`)
  }
  const strides = contiguousStrides(shape)
  return { name, dtype, shape, strides, offset: 0, storageStart: dataStart + from, storageElements }
}

function refuseOverlap(sorted: TensorLayout[]): void {
  let end = 0
  for (const { name, dtype, storageStart, storageElements } of sorted) {
    if (storageElements === 0) continue
    if (storageStart < end) throw new CheckpointError(`Tensor "${name}" lies over another; fetch the file again.`)
    end = storageStart + storageElements * DTYPE_BYTES[dtype]
  }
}

function configOf(metadata: unknown): Record<string, unknown> {
  const text = isRecord(metadata) ? metadata.cfg : undefined
  if (typeof text !== 'string') return {}
  try {
    const cfg: unknown = JSON.parse(text)
    if (isRecord(cfg)) return cfg
  } catch (cause) {
    throw new CheckpointError('The `cfg` in its metadata is not JSON; write it with json.dumps.', { cause })
  }
  throw new CheckpointError('The `cfg` in its metadata is not a JSON object; write it with json.dumps.')
}

function isRecord(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((side) => Number.isSafeInteger(side) && side >= 0)
}
