/**
 * The default model's benchmark, over HTTP: pictures in a drawing style and words in voices that training never met.
 *
 *   names ─ text ─► search in 1,855 pictures        pictures ─► search in 1,855 names
 *   words ─ espeak-ng ─► search in 500 words        words ─ espeak-ng ─► search in 500 pictures (never seen together)
 */
import { type Recall, recallAt } from '../metrics.ts'
import { BenchmarkClient } from './client.ts'
import { hasSpeech, speak, type Voice } from './speech.ts'
import type { Splits } from './splits.ts'

export interface Row {
  /** e.g. `text → image` */
  task: string
  /** What is searched and what is new to the model. */
  setting: string
  recalls: Recall[]
}

export interface BenchmarkReport {
  rows: Row[]
  /** Rows that could not be measured, and why. */
  leftOut: { task: string; reason: string }[]
}

export interface BenchmarkOptions {
  url: string
  splits: Splits
  /** PNG of an emoji in the held-out style. */
  picture: (hexcode: string) => Promise<Uint8Array>
  onProgress?: ((step: string, done: number, total: number) => void) | undefined
}

const CUTOFFS = [1, 5, 10]
const DEEPEST = 10
/** Requests at once: enough to fill the encoder's batches. */
const AT_ONCE = 8
const NO_SPEECH = 'espeak-ng is not installed (Debian and Ubuntu: apt install espeak-ng)'

export async function runBenchmark(options: BenchmarkOptions): Promise<BenchmarkReport> {
  const bench = new Benchmark(options)
  const { names, words } = options.splits
  const nameOf = new Map(words.map(({ word, hexcode }) => [hexcode, word]))
  await bench.indexPictures(
    'bench-pictures',
    names.map(({ hexcode }) => hexcode),
  )
  await bench.indexTexts(
    'bench-names',
    names.map(({ hexcode, name }) => [hexcode, name]),
  )
  const rows = [
    await bench.textToImage(names.map(({ hexcode, name }) => [hexcode, name])),
    await bench.imageToText(names.map(({ hexcode }) => hexcode)),
  ]
  if (!(await hasSpeech())) {
    const leftOut = ['spoken word → text', 'spoken word → image'].map((task) => ({ task, reason: NO_SPEECH }))
    return { rows, leftOut }
  }
  await bench.indexTexts('bench-words', [...nameOf])
  await bench.indexPictures('bench-concepts', [...nameOf.keys()])
  return { rows: [...rows, ...(await bench.spokenWords([...nameOf]))], leftOut: [] }
}

class Benchmark {
  readonly #client: BenchmarkClient
  readonly #options: BenchmarkOptions

  constructor(options: BenchmarkOptions) {
    this.#options = options
    this.#client = new BenchmarkClient(options.url)
  }

  async indexPictures(collection: string, hexcodes: readonly string[]): Promise<void> {
    await this.#client.createCollection(collection)
    await this.#each(`indexing ${collection}`, hexcodes, async (hexcode) =>
      this.#client.putFile(collection, hexcode, await this.#options.picture(hexcode)),
    )
  }

  async indexTexts(collection: string, texts: readonly (readonly [id: string, text: string])[]): Promise<void> {
    await this.#client.createCollection(collection)
    await this.#each(`indexing ${collection}`, texts, ([id, text]) => this.#client.putText(collection, id, text))
  }

  async textToImage(names: readonly (readonly [hexcode: string, name: string])[]): Promise<Row> {
    const ranks = await this.#each('text → image', names, async ([hexcode, name]) =>
      rankOf(hexcode, await this.#client.searchText('bench-pictures', name, DEEPEST)),
    )
    return row('text → image', `all ${names.length} names, held-out drawing style`, ranks, names.length)
  }

  async imageToText(hexcodes: readonly string[]): Promise<Row> {
    const ranks = await this.#each('image → text', hexcodes, async (hexcode) =>
      rankOf(hexcode, await this.#client.searchFile('bench-names', await this.#options.picture(hexcode), DEEPEST)),
    )
    return row('image → text', `all ${hexcodes.length} names, held-out drawing style`, ranks, hexcodes.length)
  }

  /** Every word in every held-out voice: to the words, and to the pictures of their concepts. */
  async spokenWords(words: readonly (readonly [hexcode: string, word: string])[]): Promise<Row[]> {
    const clips = this.#voices().flatMap((voice) => words.map(([hexcode, word]) => ({ hexcode, word, voice })))
    const ranks = await this.#each('spoken words', clips, async ({ hexcode, word, voice }) => {
      const clip = await speak(word, voice)
      return [
        rankOf(hexcode, await this.#client.searchFile('bench-words', clip, DEEPEST)),
        rankOf(hexcode, await this.#client.searchFile('bench-concepts', clip, DEEPEST)),
      ] as const
    })
    const voices = `${this.#voices().length} held-out voices`
    return [
      row(
        'spoken word → text',
        `${words.length} words, ${voices}`,
        ranks.map(([text]) => text),
        words.length,
      ),
      row(
        'spoken word → image',
        `${words.length} concepts, ${voices}, held-out drawing style; never trained on together`,
        ranks.map(([, image]) => image),
        words.length,
      ),
    ]
  }

  #voices(): Voice[] {
    const { held_out_voices, held_out_speed_pitch } = this.#options.splits
    const { speed_wpm: speedWpm, pitch } = held_out_speed_pitch.benchmark
    return held_out_voices.map((name) => ({ name, speedWpm, pitch }))
  }

  /** `map` of every entry, in order, a few at a time. */
  async #each<T, U>(step: string, entries: readonly T[], map: (entry: T) => Promise<U>): Promise<U[]> {
    const results = new Array<U>(entries.length)
    const queue = entries.entries()
    let done = 0
    const worker = async () => {
      for (const [index, entry] of queue) {
        results[index] = await map(entry)
        this.#options.onProgress?.(step, ++done, entries.length)
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, worker))
    return results
  }
}

function rankOf(id: string, hits: readonly { id: string }[]): number {
  const rank = hits.findIndex((hit) => hit.id === id)
  return rank < 0 ? Number.POSITIVE_INFINITY : rank
}

function row(task: string, setting: string, ranks: readonly number[], candidates: number): Row {
  return { task, setting, recalls: CUTOFFS.map((k) => recallAt(k, ranks, candidates)) }
}
