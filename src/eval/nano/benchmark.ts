/**
 * The default model's benchmark: pictures in a drawing style, words in voices and sounds with parameters that training never
 * met, over HTTP wherever there is a route.
 *
 *   pictures, texts, sounds ─► POST /v1/embeddings, in batches ─► Space ─► ranked here: retrieval, zero-shot
 *   scenes, questions, sounds of --material ─► the heads of the service, by `HeadService`
 *   200 pictures ─► items of a collection ─► searches: the whole path, and whether it ranks the same
 */
import { BenchmarkClient } from './client.ts'
import { Embedder, type OnProgress } from './embedder.ts'
import { type ExamOptions, headRows, type Overlays } from './exams.ts'
import type { Material } from './material.ts'
import type { Measured } from './report.ts'
import { pictureRows, speechRows } from './retrieval.ts'
import { soundRows } from './sounds.ts'
import { embedSpace, type Space } from './space.ts'
import { hasSpeech } from './speech.ts'
import type { Splits } from './splits.ts'
import { wholePathRows } from './whole-path.ts'

export interface BenchmarkOptions {
  url: string
  splits: Splits
  /** PNG of an emoji in the held-out style. */
  picture: (hexcode: string) => Promise<Uint8Array>
  /** Absent: its rows are listed as not measured. */
  material: Material | undefined
  /** The service's, asked in the same process, and what the bundle has. */
  heads: ExamOptions['heads']
  specs: ExamOptions['specs']
  onProgress?: OnProgress | undefined
}

export interface Findings extends Measured {
  /** What the rows were ranked from, and what heads said of scenes, to draw pictures of. */
  space: Space
  overlays: Overlays
}

export async function runBenchmark(options: BenchmarkOptions): Promise<Findings> {
  const { url, splits, picture, material, onProgress } = options
  const client = new BenchmarkClient(url)
  const embedder = new Embedder(client, onProgress)
  const space = await embedSpace(embedder, { splits, picture, hasSpeech: await hasSpeech() })
  const { overlays, ...heads } = await headRows(options)
  const parts: Measured[] = [
    { rows: pictureRows(space), notMeasured: [] },
    speechRows(space),
    await soundRows({ embedder, space, splits, material }),
    heads,
    await wholePathRows(client, embedder, space, picture),
  ]
  const rows = parts.flatMap((part) => part.rows)
  const notMeasured = parts.flatMap((part) => part.notMeasured)
  return { rows, notMeasured, space, overlays }
}
