/**
 * Vectors of one width side by side in large blocks. Tens of thousands that come and go as objects of their own would each be a small block
 * of the process' heap, among whatever else it holds: what the oldest leave behind fits nothing but the next of their kind.
 */

/** Large enough for malloc to give a block a mapping of its own (bin/onepeace.js). */
const BLOCK_BYTES = 2 ** 20

export class VectorSlab {
  readonly #dim: number
  readonly #perBlock: number
  readonly #blocks: Float32Array[] = []
  readonly #free: number[] = []

  /** @param dim D, the width of each */
  constructor(dim: number) {
    this.#dim = dim
    this.#perBlock = Math.max(1, Math.floor(BLOCK_BYTES / (dim * Float32Array.BYTES_PER_ELEMENT)))
  }

  /** Copies a vector float32 (D) in. @returns its place, until `remove` */
  add(vector: Float32Array): number {
    if (this.#free.length === 0) this.#grow()
    const place = this.#free.pop()!
    this.#viewOf(place).set(vector)
    return place
  }

  /** A copy of what was added. */
  get(place: number): Float32Array {
    return this.#viewOf(place).slice()
  }

  remove(place: number): void {
    this.#free.push(place)
  }

  #viewOf(place: number): Float32Array {
    const at = (place % this.#perBlock) * this.#dim
    return this.#blocks[Math.floor(place / this.#perBlock)]!.subarray(at, at + this.#dim)
  }

  #grow(): void {
    const first = this.#blocks.length * this.#perBlock
    this.#blocks.push(new Float32Array(this.#perBlock * this.#dim))
    for (let i = this.#perBlock - 1; i >= 0; i--) this.#free.push(first + i) // the first is taken first
  }
}
