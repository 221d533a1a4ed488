/**
 * What a collection of N items takes, by plain arithmetic. Units stand in names; nothing is rounded here.
 *
 *   FLOP of an input      2 × parameters × positions + 4 × layers × positions² × width (attention)
 *   memory of a vector    what the search reads (values, or small copies) + links of the index + what is kept beside it
 */

/** Multiply-adds count as two. */
export function flopsOf({ layers, embedDim, ffnEmbedDim, positions }, modality) {
  const parameters = layers * (4 * embedDim ** 2 + 3 * embedDim * ffnEmbedDim) // q, k, v, out; wi0, wi1, wo
  const p = positions[modality]
  return 2 * parameters * p + 4 * layers * p ** 2 * embedDim
}

/** Inputs a second of one encoder. @param kind a GPU, or `function` */
export function inputsPerSecond({ model, encoders }, kind, modality) {
  const flops = flopsOf(model, modality)
  if (kind !== 'function') return (encoders.peakTflops[kind] * 1e12 * encoders.reached) / flops
  const { secondsFor257On2Cores, cores, reached } = encoders.function
  const flopsPerSecond = (flopsOf(model, 'image') / secondsFor257On2Cores) * (cores / 2) * reached
  return flopsPerSecond / flops
}

/** ms of one input alone: it reads every weight of its branch once, however short it is. */
export function aloneMs(inputs, kind, modality) {
  const { layers, embedDim, ffnEmbedDim } = inputs.model
  const bytes = layers * (4 * embedDim ** 2 + 3 * embedDim * ffnEmbedDim) * (kind === 'function' ? 1 : 2) // int8, fp16
  const readingMs = bytes / (inputs.encoders.bandwidthGb[kind] * 1e6)
  return Math.max(readingMs, 1000 / inputsPerSecond(inputs, kind, modality))
}

/** Dollars of a million inputs, the encoder busy all the time. */
export function dollarsPerMillion(inputs, kind, modality) {
  const seconds = 1e6 / inputsPerSecond(inputs, kind, modality)
  if (kind === 'function') return seconds * inputs.encoders.function.gigabytes * inputs.prices.functionGbSecond
  return (seconds / 3600) * inputs.prices.gpuHour[kind]
}

export const QUANTIZATIONS = ['none', 'scalar', 'binary']
const BYTES_PER_VALUE = { none: 4, scalar: 1, binary: 1 / 8 }

/** Of one vector. `memoryBytes`: what searching it needs in memory. `diskBytes`: vectors as they are, and the small copies. */
export function vectorBytes({ model, store }, quantization) {
  const values = model.embedDim * BYTES_PER_VALUE[quantization]
  // An index holds twice the links on its lowest level, four bytes each, and a tenth more above.
  const links = quantization === 'none' ? 0 : store.indexLinks * 2 * 4 * 1.1
  const original = model.embedDim * 4
  return {
    memoryBytes: values + links + store.bytesPerItemBeside,
    diskBytes: original + (quantization === 'none' ? 0 : values) + links + store.bytesPerItemBeside,
  }
}

/** What N items take in the vector store. Shards: one a node that holds its part, before replicas. */
export function storeFor(inputs, items, quantization) {
  const { store } = inputs
  const { memoryBytes, diskBytes } = vectorBytes(inputs, quantization)
  const memoryGb = (items * memoryBytes) / 1e9
  const shards = Math.max(1, Math.ceil(memoryGb / (store.nodeGigabytes * store.usable)))
  const scanSeconds = (items * inputs.model.embedDim * 4) / shards / (store.scanGigabytesPerSecond * 1e9)
  const isExact = quantization === 'none'
  return {
    memoryGb,
    diskGb: (items * diskBytes) / 1e9,
    shards,
    nodes: shards * store.replicas,
    // Every search asks every shard; replicas share the searches.
    searchesPerSecond: store.replicas * (isExact ? 1 / scanSeconds : store.indexSearchesPerSecond),
    searchMs: isExact ? scanSeconds * 1000 : undefined,
  }
}

const monthHours = 730

/** A month of N items with `queries` searches by words: money by part. */
export function monthlyDollars(inputs, items, quantization, kind, queries) {
  const { prices, originals, store: assumed } = inputs
  const store = storeFor(inputs, items, quantization)
  const nodesForLoad =
    Math.ceil(queries / (monthHours * 3600) / (store.searchesPerSecond / assumed.replicas)) * store.shards
  const nodes = Math.max(store.nodes, nodesForLoad)
  return {
    store: nodes * prices.storeNodeHour * monthHours + store.diskGb * assumed.replicas * prices.diskGbMonth,
    originals: ((items * originals.bytes) / 1e9) * prices.objectGbMonth,
    queries: (queries / 1e6) * dollarsPerMillion(inputs, kind, 'text'),
  }
}

/** The first thing that gives out at N items, with the quantisation that the table before it would choose. */
export function bottleneckOf(inputs, items) {
  const exact = storeFor(inputs, items, 'none')
  if (exact.searchMs <= 100) return ['none', `nothing: exact search takes ${Math.round(exact.searchMs)} ms`]
  const scalar = storeFor(inputs, items, 'scalar')
  if (scalar.shards === 1)
    return ['scalar', `exact search (${Math.round(exact.searchMs)} ms); an index over small copies takes its place`]
  if (scalar.shards <= 8) return ['scalar', `memory of one node: ${scalar.shards} shards, which every search asks`]
  const binary = storeFor(inputs, items, 'binary')
  return [
    'binary',
    `memory of all nodes (${scalar.shards} shards as scalar, ${binary.shards} as binary), and the hours of the first fill`,
  ]
}
