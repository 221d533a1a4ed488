/**
 * Candidates → items of a collection, several at a time. What is there already with the same bytes and metadata is skipped, so an
 * import that was killed goes on where it was when it is run again; what has changed is replaced.
 */
import { type OnepeaceClient, OnepeaceError, type ProblemCode, ProblemError } from 'onepeace-client'
import { type Candidate, type Draft, sha256Of } from './candidate.ts'

export interface ImportReport {
  added: number
  replaced: number
  /** Already there. */
  skipped: number
  failed: { source: string; reason: string; code?: ProblemCode }[]
  /** Why the import ended before its end; what is left is done by running it again. */
  stopped?: string
}

export interface ImportOptions {
  concurrency: number
  /** Begins nothing more once aborted; what is under way is finished. */
  signal?: AbortSignal
  onProgress?(done: number, failed: number): void
}

/** Faults of one item; every other problem is one of the service or the collection, and would be that of the next item, too. */
const OF_THE_ITEM: readonly ProblemCode[] = [
  'invalid-request',
  'payload-too-large',
  'unsupported-media-type',
  'undecodable-media',
  'input-too-long',
  'media-too-large',
  'unsupported-by-model',
  'unprocessable-content',
  'deadline-exceeded',
  'internal',
]

export async function importItems(
  client: OnepeaceClient,
  collection: string,
  candidates: AsyncIterable<Candidate> | Iterable<Candidate>,
  { concurrency, signal, onProgress }: ImportOptions,
): Promise<ImportReport> {
  const report: ImportReport = { added: 0, replaced: 0, skipped: 0, failed: [] }
  const there = await fingerprints(client, collection)
  const seen = new Set<string>()
  let done = 0

  const keep = async ({ label, read }: Candidate): Promise<void> => {
    try {
      const draft = await read()
      if (seen.has(draft.id)) throw new Error(`Another one has the id '${draft.id}' already.`)
      seen.add(draft.id)
      const known = there.get(draft.id)
      if (known !== undefined && isSame(draft, known)) report.skipped++
      else {
        await client.items.put(collection, draft.id, draft.input, { metadata: draft.metadata })
        report[known === undefined ? 'added' : 'replaced']++
      }
    } catch (error) {
      if (isFatal(error)) throw error
      const code = error instanceof ProblemError ? { code: error.code } : {}
      report.failed.push({ source: label, reason: reasonOf(error), ...code })
    }
    onProgress?.(++done, report.failed.length)
  }

  const queue = iteratorOf(candidates)
  const work = async (): Promise<void> => {
    while (!signal?.aborted && report.stopped === undefined) {
      const next = await queue.next()
      if (next.done) return
      try {
        await keep(next.value)
      } catch (error) {
        report.stopped ??= reasonOf(error)
      }
    }
  }
  await Promise.all(Array.from({ length: concurrency }, work))
  if (signal?.aborted) report.stopped ??= 'It was told to stop.'
  return report
}

async function* iteratorOf<T>(source: AsyncIterable<T> | Iterable<T>): AsyncGenerator<T> {
  yield* source
}

/** Id → what tells whether bytes and metadata are the same; short, as collections may be long. */
async function fingerprints(client: OnepeaceClient, collection: string): Promise<Map<string, string>> {
  const there = new Map<string, string>()
  for await (const { id, sha256, metadata } of client.items.list(collection, { pageSize: 1000 })) {
    there.set(id, fingerprint(sha256, metadata))
  }
  return there
}

/** What only the service could fetch counts as the same if its id is there. */
function isSame({ sha256, metadata }: Draft, known: string): boolean {
  return sha256 === undefined || fingerprint(sha256, metadata) === known
}

function fingerprint(sha256: string, metadata: unknown): string {
  return sha256Of(`${sha256}${JSON.stringify(metadata, sortedKeys)}`).slice(0, 32)
}

/** A JSON replacer: objects with equal members are written alike, whatever their order. */
function sortedKeys(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** A `TypeError` of `fetch` is a connection that could not be had, retries included. */
function isFatal(error: unknown): boolean {
  if (error instanceof ProblemError) return !OF_THE_ITEM.includes(error.code)
  return error instanceof OnepeaceError || (error instanceof TypeError && error.message === 'fetch failed')
}

function reasonOf(error: unknown): string {
  if (error instanceof TypeError && error.message === 'fetch failed') return 'The service cannot be reached any more.'
  if (error instanceof ProblemError && error.errors.length > 0) {
    return `${error.message} ${error.errors.map(({ pointer, detail }) => `${pointer ?? ''} ${detail}`.trim()).join('; ')}`
  }
  return error instanceof Error ? error.message : String(error)
}
