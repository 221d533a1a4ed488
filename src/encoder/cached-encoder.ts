/**
 * An encoder that remembers. In and out: as the encoder behind it, to the bit. What is looked up is the prepared input itself
 * (token ids; where asked, pixels and samples by their SHA-256), so one cache serves one model and one preprocessing, and a hit
 * can only ever tell a caller what it sent. How long an answer takes does tell whether someone asked the same before; a service
 * whose tenants must not learn that from each other turns the cache off.
 */
import { createHash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { Modality } from '../modality.ts'
import type { BranchState, Encoder, EncoderInput, HeadInputs, HeadOutput } from './encoder.ts'

export interface CacheOptions {
  /** Bound of the vectors and keys kept, in bytes. */
  maxBytes: number
  /** What is remembered. Texts and labels come again; pictures and sounds seldom do, and cost a hash of all their bytes. */
  modalities: readonly Modality[]
  /** Told of every lookup. */
  onLookup?: ((modality: Modality, isHit: boolean) => void) | undefined
}

/** Bytes of an entry beside its key and vector, about. */
const ENTRY_BYTES = 200

export class CachedEncoder implements Encoder {
  readonly #inner: Encoder
  readonly #options: CacheOptions
  readonly #vectors: LRUCache<string, Float32Array>

  /** Takes the encoder over: closing this one closes it. */
  constructor(inner: Encoder, options: CacheOptions) {
    this.#inner = inner
    this.#options = options
    const sizeCalculation = (vector: Float32Array, key: string) => vector.byteLength + 2 * key.length + ENTRY_BYTES
    this.#vectors = new LRUCache({ maxSize: options.maxBytes, sizeCalculation })
  }

  get embedDim() {
    return this.#inner.embedDim
  }

  get modalities() {
    return this.#inner.modalities
  }

  get heads() {
    return this.#inner.heads
  }

  async encode(input: EncoderInput, signal?: AbortSignal): Promise<Float32Array> {
    const { modalities, onLookup } = this.#options
    if (!modalities.includes(input.modality)) return this.#inner.encode(input, signal)
    const key = keyOf(input) // before encoding, which takes the input away
    const known = this.#vectors.get(key)
    onLookup?.(input.modality, known !== undefined)
    if (known) return known.slice()
    const vector = await this.#inner.encode(input, signal)
    this.#vectors.set(key, vector.slice())
    return vector
  }

  runHead(name: string, inputs: HeadInputs, signal?: AbortSignal): Promise<HeadOutput> {
    return this.#inner.runHead(name, inputs, signal)
  }

  ready(modality?: Modality): Promise<void> {
    return this.#inner.ready(modality)
  }

  /** As the encoder behind it tells; `ready` where that cannot tell. */
  stateOf(modality: Modality): BranchState {
    return this.#inner.stateOf?.(modality) ?? 'ready'
  }

  async close(): Promise<void> {
    this.#vectors.clear()
    await this.#inner.close()
  }
}

function keyOf(input: EncoderInput): string {
  if (input.modality === 'text') return `text ${input.tokenIds.join(' ')}`
  const bytes = input.modality === 'image' ? input.data : bytesOf(input.waveform)
  const shape = input.modality === 'image' ? `${input.width}x${input.height}` : ''
  return `${input.modality} ${shape} ${createHash('sha256').update(bytes).digest('base64')}`
}

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength)
}
