/**
 * Where a tensor lies in a file, and how to read it. In: a layout as a format reader found it (not yet trusted). Out:
 * contiguous elements, read through one small window, so that neither a shared storage nor a strided view of it is ever
 * held whole.
 *
 * A view is (shape, strides, offset) over a storage, counted in elements: element (i, j, …) lies at
 * offset + i·strides[0] + j·strides[1] + … (https://pytorch.org/docs/stable/tensor_view.html).
 */
import type { FileHandle } from 'node:fs/promises'
import { CheckpointError } from './checkpoint-error.ts'

/** Bytes an element takes. The keys are torch's names of the types. */
export const DTYPE_BYTES = {
  float64: 8,
  float32: 4,
  float16: 2,
  bfloat16: 2,
  int64: 8,
  int32: 4,
  int16: 2,
  int8: 1,
  uint8: 1,
  bool: 1,
} as const

export type CheckpointDtype = keyof typeof DTYPE_BYTES

export interface TensorInfo {
  name: string
  dtype: CheckpointDtype
  shape: readonly number[]
}

export interface TensorLayout extends TensorInfo {
  strides: readonly number[]
  /** First element of the view, counted in elements from the storage's start. */
  offset: number
  /** Byte position of the storage in the file. */
  storageStart: number
  storageElements: number
}

/** Takes `count` consecutive elements, found at `source[byte…]`, as the elements `index…` of the contiguous tensor. */
export type ElementSink = (source: Uint8Array, byte: number, index: number, count: number) => void

/** torch itself allows 64. */
const MAX_DIMENSIONS = 64
/** Small enough to stay in the processor's cache while its elements are converted. */
const WINDOW_BYTES = 8 << 20
/** Where elements lie scattered, a small window keeps the cost of a useless neighbourhood low. */
const SCATTERED_WINDOW_BYTES = 1 << 16

/** Number of elements of a shape; 1 for a scalar. */
export function elementCount(shape: readonly number[]): number {
  return shape.includes(0) ? 0 : shape.reduce((product, side) => product * side, 1)
}

/** Strides of the contiguous (C order) tensor of this shape, in elements. */
export function contiguousStrides(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length)
  let stride = 1
  for (let dim = shape.length - 1; dim >= 0; dim--) {
    strides[dim] = stride
    stride *= shape[dim]!
  }
  return strides
}

/**
 * Refuses a layout that reaches outside its storage, or its storage outside the file.
 * @throws CheckpointError naming the tensor
 */
export function checkLayout(layout: TensorLayout, fileBytes: number): void {
  const { name, dtype, shape, strides, offset, storageStart, storageElements } = layout
  const refuse = (reason: string): never => {
    throw new CheckpointError(`Tensor "${name}" ${reason}; the file is damaged or forged, so fetch it again.`)
  }
  const isCount = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0
  if (shape.length !== strides.length || shape.length > MAX_DIMENSIONS) refuse('has a malformed shape')
  if (![...shape, ...strides, offset, storageElements].every(isCount)) refuse('has a size, stride or offset below zero')
  const bytes = DTYPE_BYTES[dtype]
  if (storageStart + storageElements * bytes > fileBytes) refuse('lies beyond the end of the file')
  const count = elementCount(shape)
  if (count === 0) return
  const last = shape.reduce((at, side, dim) => at + (side - 1) * strides[dim]!, offset)
  if (last >= storageElements) refuse(`reaches element ${last} of a storage that has ${storageElements}`)
  // An expanded view (stride 0) may ask for any size out of a few bytes.
  if (count * bytes > fileBytes) refuse(`would take ${count * bytes} bytes, more than the whole file`)
}

/**
 * Reads every element of the view once and hands it to `sink`, in the order of the file where the view permits.
 *
 *   shape (2, 3, 4), strides (24, 4, 1)  →  outer dims [2], runs of 3·4 = 12 consecutive elements
 *
 * @throws CheckpointError if the file ends early
 */
export async function readElements(handle: FileHandle, layout: TensorLayout, sink: ElementSink): Promise<void> {
  if (elementCount(layout.shape) === 0) return
  const size = DTYPE_BYTES[layout.dtype]
  const { run, outer } = splitRuns(layout)
  const isLong = run * size >= SCATTERED_WINDOW_BYTES
  const window = new FileWindow(handle, layout, isLong ? Math.min(run * size, WINDOW_BYTES) : SCATTERED_WINDOW_BYTES)
  for (const [element, index] of walk(outer, layout.offset)) {
    for (let done = 0; done < run; ) {
      const byte = window.find(element + done) ?? (await window.load(element + done))
      const count = Math.min(run - done, (window.filled - byte) / size)
      sink(window.buffer, byte, index + done, count)
      done += count
    }
  }
}

interface OuterDim {
  side: number
  /** Step in the storage, in elements. */
  stride: number
  /** Step in the contiguous result, in elements. */
  outStride: number
}

/** The trailing dimensions that lie contiguously make one run; the others are sorted so that the file is read forward. */
function splitRuns({ shape, strides }: TensorLayout): { run: number; outer: OuterDim[] } {
  const outStrides = contiguousStrides(shape)
  let run = 1
  let dim = shape.length - 1
  while (dim >= 0 && (shape[dim] === 1 || strides[dim] === run)) run *= shape[dim--]!
  const outer = shape.slice(0, dim + 1).map((side, d) => ({ side, stride: strides[d]!, outStride: outStrides[d]! }))
  return { run, outer: outer.sort((a, b) => b.stride - a.stride) }
}

/** All (element in the storage, element in the result) pairs of the outer dimensions, the last varying fastest. */
function* walk(dims: OuterDim[], start: number): Generator<[number, number]> {
  const at = dims.map(() => 0)
  let [element, index] = [start, 0]
  for (;;) {
    yield [element, index]
    let dim = dims.length - 1
    for (; dim >= 0; dim--) {
      const { side, stride, outStride } = dims[dim]!
      element += stride
      index += outStride
      if (++at[dim]! < side) break
      element -= side * stride
      index -= side * outStride
      at[dim] = 0
    }
    if (dim < 0) return
  }
}

/** A piece of the storage in memory. Offsets in it are whole elements, so that typed arrays can be laid over it. */
class FileWindow {
  readonly buffer: Uint8Array
  /** Valid bytes in the buffer. */
  filled = 0
  private first = 0

  constructor(
    private readonly handle: FileHandle,
    private readonly layout: TensorLayout,
    bytes: number,
  ) {
    this.buffer = new Uint8Array(bytes)
  }

  /** Byte of the element in the buffer, undefined if it is not there. */
  find(element: number): number | undefined {
    const byte = (element - this.first) * DTYPE_BYTES[this.layout.dtype]
    return byte >= 0 && byte < this.filled ? byte : undefined
  }

  /** Moves the window so that it begins with the element, and returns its byte there: 0. */
  async load(element: number): Promise<number> {
    const { dtype, storageStart, storageElements, name } = this.layout
    const size = DTYPE_BYTES[dtype]
    const wanted = Math.min(this.buffer.length, (storageElements - element) * size)
    this.filled = 0
    await readFully(this.handle, this.buffer.subarray(0, wanted), storageStart + element * size, `tensor "${name}"`)
    this.first = element
    this.filled = wanted
    return 0
  }
}

/**
 * Fills `target` from a byte position of the file.
 * @throws CheckpointError if the file ends before
 */
export async function readFully(handle: FileHandle, target: Uint8Array, position: number, what: string) {
  for (let done = 0; done < target.length; ) {
    const { bytesRead } = await handle.read(target, done, target.length - done, position + done)
    if (bytesRead === 0) {
      throw new CheckpointError(`The file ends in the middle of ${what}; it is cut short, so fetch it again.`)
    }
    done += bytesRead
  }
}

/** A sink that keeps the bytes as stored. */
export function rawSink(out: Uint8Array, dtype: CheckpointDtype): ElementSink {
  const size = DTYPE_BYTES[dtype]
  return (source, byte, index, count) => out.set(source.subarray(byte, byte + count * size), index * size)
}

/** A sink that converts each element to float32 as `tensor.float()` does. */
export function float32Sink(out: Float32Array, dtype: CheckpointDtype): ElementSink {
  const bits = new Uint32Array(out.buffer, out.byteOffset, out.length)
  const from = <T extends ArrayLike<number | bigint>>(
    Typed: new (buffer: ArrayBufferLike, byte: number, count: number) => T,
    put: (value: T[number], index: number) => void,
  ): ElementSink => {
    return (source, byte, index, count) => {
      const values = new Typed(source.buffer, source.byteOffset + byte, count)
      for (let i = 0; i < count; i++) put(values[i]!, index + i)
    }
  }
  const number = (value: number | bigint, index: number) => {
    out[index] = Number(value)
  }
  /** A loop of its own for the two halves, as large checkpoints consist of them. */
  const widen = (widened: (values: Uint16Array, at: number) => void): ElementSink => {
    return (source, byte, index, count) =>
      widened(new Uint16Array(source.buffer, source.byteOffset + byte, count), index)
  }
  switch (dtype) {
    case 'float32':
      return rawSink(new Uint8Array(out.buffer, out.byteOffset, out.byteLength), dtype)
    case 'float16':
      return widen((values, at) => {
        const table = float16Table()
        for (let i = 0; i < values.length; i++) bits[at + i] = table[values[i]!]!
      })
    case 'bfloat16':
      return widen((values, at) => {
        for (let i = 0; i < values.length; i++) bits[at + i] = values[i]! << 16
      })
    case 'float64':
      return from(Float64Array, number)
    case 'int64':
      return from(BigInt64Array, number)
    case 'int32':
      return from(Int32Array, number)
    case 'int16':
      return from(Int16Array, number)
    case 'int8':
      return from(Int8Array, number)
    case 'uint8':
      return from(Uint8Array, number)
    case 'bool':
      return from(Uint8Array, (value, index) => number(value === 0 ? 0 : 1, index))
  }
}

let knownFloat16: Uint32Array | undefined
/** `float16Bits` of every half. */
function float16Table(): Uint32Array {
  knownFloat16 ??= Uint32Array.from({ length: 1 << 16 }, (_, half) => float16Bits(half))
  return knownFloat16
}

/** Bits of the float32 equal to an IEEE 754 binary16 (1 sign, 5 exponent, 10 fraction bits). */
function float16Bits(half: number): number {
  const sign = (half & 0x8000) << 16
  const exponent = (half >> 10) & 0x1f
  const fraction = half & 0x3ff
  if (exponent === 31) return sign | 0x7f800000 | (fraction << 13)
  if (exponent > 0) return sign | ((exponent + 112) << 23) | (fraction << 13) // 112 = 127 - 15, the biases
  if (fraction === 0) return sign
  // Subnormal: fraction · 2^-24, normalised by its leading bit.
  const leading = 31 - Math.clz32(fraction)
  return sign | ((leading + 103) << 23) | ((fraction << (23 - leading)) & 0x7fffff) // 103 = 127 - 24
}
