/**
 * Quantisation: Qdrant keeps a small copy of each vector in memory and searches that; the best are then scored again with the
 * vectors themselves. Searches are approximate then, by an index over the small copies. Without it they are exact.
 *
 *   scalar   1 byte a value: a quarter of the memory      binary   1 bit a value: a thirty-second, for wide vectors (1,024 and up)
 */
export const QUANTIZATIONS = ['none', 'scalar', 'binary'] as const
export type Quantization = (typeof QUANTIZATIONS)[number]

/** Values beyond this part of all are cut off, as Qdrant's documentation advises. */
const QUANTILE = 0.99
/** Candidates of the small copies for each wanted, scored again. */
const OVERSAMPLING = { scalar: 2, binary: 4 }
/** Candidates that the walk through the index keeps: more find more of the true neighbours, in more time. */
const HNSW_EF = 256

/** As a collection is told when it is made. */
export function quantizationConfig(quantization: Exclude<Quantization, 'none'>) {
  if (quantization === 'binary') return { binary: { always_ram: true } }
  return { scalar: { type: 'int8' as const, quantile: QUANTILE, always_ram: true } }
}

/** Whether a collection's own configuration, as it tells it, is that. */
export function isQuantized(config: unknown, quantization: Quantization): boolean {
  const is = (kind: Quantization) => typeof config === 'object' && config !== null && kind in config
  return quantization === 'none' ? !is('scalar') && !is('binary') : is(quantization)
}

/** As a search is told. */
export function searchParams(quantization: Quantization) {
  if (quantization === 'none') return { exact: true }
  return { hnsw_ef: HNSW_EF, quantization: { rescore: true, oversampling: OVERSAMPLING[quantization] } }
}
