/**
 * Reader of NumPy's `.npy` files, the format of the golden arrays.
 *
 *   "\x93NUMPY" | major u8 | minor u8 | header length u16 (v1) or u32 (v2+) | header: a Python dict literal | data
 *
 * Source: numpy.lib.format. Only little-endian, C-ordered arrays of the dtypes below; anything else is an error.
 */
import { readFile } from 'node:fs/promises'

export type NpyData = Float32Array | Float64Array | BigInt64Array | Int32Array | Uint8Array

export interface NpyArray {
  dtype: 'float32' | 'float64' | 'int64' | 'int32' | 'uint8' | 'bool'
  shape: number[]
  data: NpyData
}

const DTYPES = {
  '<f4': ['float32', Float32Array],
  '<f8': ['float64', Float64Array],
  '<i8': ['int64', BigInt64Array],
  '<i4': ['int32', Int32Array],
  '|u1': ['uint8', Uint8Array],
  '|b1': ['bool', Uint8Array],
} as const

/** @throws Error if the file is not an array of a supported kind. */
export async function readNpy(path: string): Promise<NpyArray> {
  const file = await readFile(path)
  if (file.toString('latin1', 0, 6) !== '\x93NUMPY') throw new Error(`${path} is not a .npy file.`)
  const long = file[6]! >= 2
  const headerStart = long ? 12 : 10
  const dataStart = headerStart + (long ? file.readUInt32LE(8) : file.readUInt16LE(8))
  const header = file.toString('latin1', headerStart, dataStart)
  const descr = /'descr':\s*'([^']+)'/.exec(header)?.[1] ?? ''
  const shapeText = /'shape':\s*\(([^)]*)\)/.exec(header)?.[1]
  const kind = DTYPES[descr as keyof typeof DTYPES]
  if (!kind || shapeText === undefined || !/'fortran_order':\s*False/.test(header)) {
    throw new Error(`${path} holds an array that this reader does not support: ${header.trim()}`)
  }
  const shape = shapeText
    .split(',')
    .filter((part) => part.trim() !== '')
    .map(Number)
  const [dtype, TypedArray] = kind
  const count = shape.reduce((product, side) => product * side, 1)
  // Copied, because a typed array needs an aligned offset, which a slice of a pooled Buffer does not promise.
  const bytes = Uint8Array.prototype.slice.call(file, dataStart, dataStart + count * TypedArray.BYTES_PER_ELEMENT)
  if (bytes.length !== count * TypedArray.BYTES_PER_ELEMENT) throw new Error(`${path} is cut short.`)
  return { dtype, shape, data: new TypedArray(bytes.buffer, 0, count) }
}
