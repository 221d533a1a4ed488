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
import { VectorSlab } from './vector-slab.ts'

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
  #vectors: VectorSlab | undefined
  /** Where they are in it. */
  readonly #places: LRUCache<string, number>

  /** Takes the encoder over: closing this one closes it. */
  constructor(inner: Encoder, options: CacheOptions) {
    this.#inner = inner
    this.#options = options
    this.#places = new LRUCache({
      maxSize: options.maxBytes,
      sizeCalculation: (_place, key) => 4 * this.embedDim + 2 * key.length + ENTRY_BYTES,
      dispose: (place) => this.#vectors?.remove(place),
    })
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
    const place = this.#places.get(key)
    onLookup?.(input.modality, place !== undefined)
    if (place !== undefined) return this.#vectors!.get(place)
    const vector = await this.#inner.encode(input, signal)
    this.#keep(key, vector)
    return vector
  }

  #keep(key: string, vector: Float32Array): void {
    this.#vectors ??= new VectorSlab(vector.length)
    const place = this.#vectors.add(vector)
    this.#places.set(key, place)
    if (this.#places.peek(key) !== place) this.#vectors.remove(place) // larger than all that may be kept
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
    this.#places.clear()
    this.#vectors = undefined
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
