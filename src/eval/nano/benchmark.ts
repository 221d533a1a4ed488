/**
 * The default model's benchmark: pictures in a drawing style, words in voices and sounds with parameters that training never
 * met, over HTTP wherever there is a route.
 *
 *   pictures, texts, sounds ─► POST /v1/embeddings, in batches ─► Space ─► ranked here: retrieval, zero-shot
 *   200 pictures ─► items of a collection ─► searches: the whole path, and whether it ranks the same
 */
import { BenchmarkClient } from './client.ts'
import { Embedder, type OnProgress } from './embedder.ts'
import type { Measured } from './report.ts'
import { pictureRows, speechRows } from './retrieval.ts'
import { embedSpace, type Space } from './space.ts'
import { hasSpeech } from './speech.ts'
import type { Splits } from './splits.ts'
import { wholePathRows } from './whole-path.ts'

export interface BenchmarkOptions {
  url: string
  splits: Splits
  /** PNG of an emoji in the held-out style. */
  picture: (hexcode: string) => Promise<Uint8Array>
  onProgress?: OnProgress | undefined
}

export interface Findings extends Measured {
  /** What the rows were ranked from, to draw pictures of. */
  space: Space
}

export async function runBenchmark({ url, splits, picture, onProgress }: BenchmarkOptions): Promise<Findings> {
  const client = new BenchmarkClient(url)
  const embedder = new Embedder(client, onProgress)
  const space = await embedSpace(embedder, { splits, picture, hasSpeech: await hasSpeech() })
  const speech = speechRows(space)
  const wholePath = await wholePathRows(client, embedder, space, picture)
  return {
    rows: [...pictureRows(space), ...speech.rows, ...wholePath.rows],
    notMeasured: [...speech.notMeasured, ...wholePath.notMeasured],
    space,
  }
}
