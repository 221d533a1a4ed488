/** Many inputs through `POST /v1/embeddings`, in batches, the next being made while the service works at the last. */
import type { BenchmarkClient, Input } from './client.ts'

export type OnProgress = (step: string, done: number, total: number) => void

type Batch = readonly Input[] | Promise<readonly Input[]>

/** Inputs of a request: enough to fill the encoder's batches, few enough to see progress. */
const PER_REQUEST = 64
/** Requests at once: one in the encoder, one being drawn, spoken, decoded. */
const AT_ONCE = 3

export class Embedder {
  readonly #client: BenchmarkClient
  readonly #onProgress: OnProgress | undefined

  constructor(client: BenchmarkClient, onProgress?: OnProgress) {
    this.#client = client
    this.#onProgress = onProgress
  }

  /** Unit vectors of the inputs that `make` makes of the entries, a batch at a time, in order. */
  async embed<T>(step: string, entries: readonly T[], make: (batch: readonly T[]) => Batch): Promise<Float32Array[]> {
    const starts = Array.from({ length: Math.ceil(entries.length / PER_REQUEST) }, (_, i) => i * PER_REQUEST)
    const chunks = await this.each(step, starts, async (start) =>
      this.#client.embed(await make(entries.slice(start, start + PER_REQUEST))),
    )
    return chunks.flat()
  }

  /** `map` of every entry, in order, a few at a time. */
  async each<T, U>(step: string, entries: readonly T[], map: (entry: T) => Promise<U>): Promise<U[]> {
    const results = new Array<U>(entries.length)
    const queue = entries.entries()
    let done = 0
    const worker = async () => {
      for (const [index, entry] of queue) {
        results[index] = await map(entry)
        this.#onProgress?.(step, ++done, entries.length)
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, worker))
    return results
  }
}
