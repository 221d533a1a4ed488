/** How a tensor of a checkpoint is stored in a bundle, and the three usual ways. */

export interface TensorPlan {
  /** Name in the checkpoint, kept verbatim in the bundle. */
  name: string
  /** Shape in the checkpoint. */
  shape: readonly number[]
  /** Shape in the bundle, where `store` changes it. */
  storedShape: readonly number[]
  /** From the checkpoint's values to the bundle's. */
  store: (values: Float32Array) => Float32Array
}

/** Stored in its own shape. */
export const asIs = (name: string, ...shape: number[]): TensorPlan => ({
  name,
  shape,
  storedShape: shape,
  store: (x) => x,
})

/** A Linear's weight [out, in] is stored transposed [in, out], as MatMul takes it, so that no runtime transposes it. */
export const linear = (name: string, outDim: number, inDim: number): TensorPlan => ({
  name,
  shape: [outDim, inDim],
  storedShape: [inDim, outDim],
  store: (values) => transpose(values, outDim, inDim),
})

/** Weight and bias of a LayerNorm. */
export const norm = (name: string, dim: number): TensorPlan[] => [
  asIs(`${name}.weight`, dim),
  asIs(`${name}.bias`, dim),
]

function transpose(values: Float32Array, rows: number, columns: number): Float32Array {
  const out = new Float32Array(values.length)
  for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) out[c * rows + r] = values[r * columns + c]!
  return out
}
