/** How a tensor of a checkpoint is stored in a bundle, and the usual ways. */

/**
 * What a tensor is for, which decides how it may be stored:
 *   plain    in its own shape, as floats
 *   matrix   `store` gives the rows (N, K) of a product x · Wᵀ. Stored turned, (K, N), as MatMul takes it, so that no runtime
 *            turns it; or in few bits (`onnx/quantise.ts`)
 *   table    rows (V, D) that are looked up, and not multiplied: halves where matrices are in few bits
 */
export type TensorRole = 'plain' | 'matrix' | 'table'

export interface TensorPlan {
  /** Name in the checkpoint, kept verbatim in the bundle. */
  name: string
  role: TensorRole
  /** Shape in the checkpoint. */
  shape: readonly number[]
  /** Shape of what `store` gives. */
  storedShape: readonly number[]
  /** From the checkpoint's values to the bundle's. */
  store: (values: Float32Array) => Float32Array
}

/** Stored in its own shape. */
export const asIs = (name: string, ...shape: number[]): TensorPlan => ({
  name,
  role: 'plain',
  shape,
  storedShape: shape,
  store: (x) => x,
})

/** A Linear's weight [out, in]. */
export const linear = (name: string, outDim: number, inDim: number): TensorPlan => ({
  ...asIs(name, outDim, inDim),
  role: 'matrix',
})

/** An embedding table [V, D]. */
export const table = (name: string, rows: number, dim: number): TensorPlan => ({
  ...asIs(name, rows, dim),
  role: 'table',
})

/** The weight [out, in, k] of a one-dimensional convolution that is done as a product: rows of (tap, in) each. */
export const windowed = (name: string, outDim: number, inDim: number, kernel: number): TensorPlan => ({
  name,
  role: 'matrix',
  shape: [outDim, inDim, kernel],
  storedShape: [outDim, kernel * inDim],
  store: (values) => tapsFirst(values, outDim, inDim, kernel),
})

/** Weight and bias of a LayerNorm. */
export const norm = (name: string, dim: number): TensorPlan[] => [
  asIs(`${name}.weight`, dim),
  asIs(`${name}.bias`, dim),
]

/** (out, in, k) → (out, k, in) */
function tapsFirst(values: Float32Array, outDim: number, inDim: number, kernel: number): Float32Array {
  const out = new Float32Array(values.length)
  for (let o = 0; o < outDim; o++) {
    for (let c = 0; c < inDim; c++) {
      for (let tap = 0; tap < kernel; tap++) {
        out[(o * kernel + tap) * inDim + c] = values[(o * inDim + c) * kernel + tap]!
      }
    }
  }
  return out
}
