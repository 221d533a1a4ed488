/** Answers to many questions: from the log where they are, else from the service, a few at a time. */
import { stat } from 'node:fs/promises'
import { relative, sep } from 'node:path'
import { type OnepeaceClient, ProblemError } from 'onepeace-client'
import { fileAt } from 'onepeace-client/node'
import { EvaluationError } from '../evaluation-error.ts'
import type { WorkLog } from './work-log.ts'

/** One taking of an exam. */
export interface Run {
  client: OnepeaceClient
  log: WorkLog
  /** Of the data set. */
  dir: string
  /** Requests at once. */
  concurrency: number
  /** Whether a file that the service cannot read is left out; else it ends the run. */
  skipsBad: boolean
  /** A fine-tuned head of the model to ask. */
  head?: string | undefined
  signal?: AbortSignal | undefined
  /** `more` answers are there. */
  onProgress?(more: number): void
  /** Files that the service could not read, with why. */
  leftOut: Map<string, string>
}

export interface Questions<E> {
  entries: readonly E[]
  /** Equal keys have equal answers. */
  keyOf(entry: E): string | Promise<string>
  /** The file it is about, if it is about one. */
  fileOf?(entry: E): string
  perRequest: number
  /** Answers to some of the entries, in order; what JSON can hold. */
  ask(batch: readonly E[]): Promise<unknown[]>
}

/** A file that cannot be read is an answer, too. */
interface Refusal {
  refused: string
}

const TEXTS_A_REQUEST = 64

/** In the order of the entries; undefined for what is left out. @throws EvaluationError, OnepeaceError, the signal's reason */
export async function collect<E, A>(run: Run, questions: Questions<E>): Promise<(A | undefined)[]> {
  const { entries, keyOf, fileOf, perRequest } = questions
  const keys = await Promise.all(entries.map(keyOf))
  const asked = new Set<string>()
  const open = [...entries.entries()].filter(([i]) => {
    if (run.log.has(keys[i]!) || asked.has(keys[i]!)) return false
    asked.add(keys[i]!)
    return true
  })
  run.onProgress?.(entries.length - open.length)
  const batches = Array.from({ length: Math.ceil(open.length / perRequest) }, (_, i) =>
    open.slice(i * perRequest, (i + 1) * perRequest),
  )
  await inTurns(batches, run, async (batch) => {
    const answers = await answersOf(run, questions, batch)
    await run.log.put(batch.map(([i], at) => [keys[i]!, answers[at]]))
    run.onProgress?.(batch.length)
  })
  return entries.map((entry, i) => {
    const answer = run.log.get(keys[i]!)
    if (!isRefusal(answer)) return answer as A
    if (!run.skipsBad) throw badFile(fileOf!(entry), answer.refused)
    run.leftOut.set(fileOf!(entry), answer.refused)
    return undefined
  })
}

async function answersOf<E>(
  run: Run,
  { ask, fileOf }: Questions<E>,
  batch: readonly (readonly [number, E])[],
): Promise<unknown[]> {
  try {
    return await ask(batch.map(([, entry]) => entry))
  } catch (error) {
    const file = batch.length === 1 ? fileOf?.(batch[0]![1]) : undefined
    if (file === undefined || !(error instanceof ProblemError) || !ABOUT_THE_FILE.includes(error.code)) throw error
    if (!run.skipsBad) throw badFile(file, error.message)
    return [{ refused: error.message } satisfies Refusal]
  }
}

const ABOUT_THE_FILE = ['unsupported-media-type', 'undecodable-media', 'media-too-large', 'payload-too-large']

function badFile(file: string, why: string): EvaluationError {
  return new EvaluationError(`${file}: ${why} Mend or remove it; --skip-missing goes on without such files.`)
}

const isRefusal = (answer: unknown): answer is Refusal =>
  typeof answer === 'object' && answer !== null && 'refused' in answer

/** The first that fails ends it, when those on their way have come back. */
async function inTurns<T>(items: readonly T[], run: Run, work: (item: T) => Promise<void>): Promise<void> {
  const queue = items.values()
  let failed = false
  const worker = async () => {
    for (const item of queue) {
      run.signal?.throwIfAborted()
      if (failed) return
      await work(item).catch((error: unknown) => {
        failed = true
        throw error
      })
    }
  }
  const ended = await Promise.allSettled(Array.from({ length: run.concurrency }, worker))
  const fault = ended.find((each) => each.status === 'rejected')
  if (fault) throw fault.reason
}

/** @param count of what was read @throws EvaluationError where it is nothing */
export function assertAny(count: number): void {
  if (count === 0) throw new EvaluationError('No file could be read; there is nothing to measure.')
}

/** Unit vectors of files. */
export async function embedFiles(run: Run, paths: readonly string[]): Promise<(Float32Array | undefined)[]> {
  return vectors(run, {
    entries: paths,
    keyOf: async (path) => `embed|${await fileKey(run, path)}`,
    fileOf: (path) => path,
    perRequest: 1,
    ask: async ([path]) => vectorsOf(run, [await fileAt(path!)]),
  })
}

/** Unit vectors of texts. */
export async function embedTexts(run: Run, texts: readonly string[]): Promise<Float32Array[]> {
  const found = await vectors(run, {
    entries: texts,
    keyOf: (text) => `text|${text}`,
    perRequest: TEXTS_A_REQUEST,
    ask: (batch) => vectorsOf(run, batch),
  })
  return found as Float32Array[]
}

/** A file as it is now: another one under its name is asked anew. */
export async function fileKey({ dir }: Run, path: string): Promise<string> {
  const { size, mtimeMs } = await stat(path)
  return `${relative(dir, path).split(sep).join('/')}|${size}|${Math.round(mtimeMs)}`
}

async function vectorsOf({ client, signal }: Run, inputs: readonly (string | Blob)[]): Promise<string[]> {
  const { data } = await client.embed(inputs, {}, signal ? { signal } : {})
  return data.map(({ embedding }) => Buffer.from(Float32Array.from(embedding).buffer).toString('base64'))
}

async function vectors<E>(run: Run, questions: Questions<E>): Promise<(Float32Array | undefined)[]> {
  const texts = await collect<E, string>(run, questions)
  return texts.map((text) => {
    if (text === undefined) return undefined
    const bytes = Uint8Array.from(Buffer.from(text, 'base64'))
    return new Float32Array(bytes.buffer)
  })
}
