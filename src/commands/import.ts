/** `onepeace import`: folders, files and NDJSON files into a collection, which is made if it is not there. */

import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type OnepeaceClient, ProblemError } from 'onepeace-client'
import { ConfigError } from '../config.ts'
import { printJson } from '../terminal/print.ts'
import { Progress } from '../terminal/progress.ts'
import { asDuration } from '../terminal/table.ts'
import { isImportable, type Source } from '../transfer/candidate.ts'
import { ITEMS_FILE } from '../transfer/export-items.ts'
import { type FolderOptions, fileSource, folderSource } from '../transfer/folder-source.ts'
import { type ImportReport, importItems } from '../transfer/import-items.ts'
import { ndjsonSource } from '../transfer/ndjson-source.ts'
import { atSignal } from './at-signal.ts'
import { countOf } from './options.ts'
import { PATIENT, type ServiceFlags, withService } from './with-service.ts'

export interface ImportFlags extends ServiceFlags {
  collection: string
  concurrency: string
  prefix?: string | undefined
  json?: boolean | undefined
}

/** Of many items that failed, those that are listed. */
const LISTED = 50

/** Sets exit code 1 if an item failed or the import was stopped. @throws ConfigError, TransferError, ServiceError */
export async function importAll(paths: readonly string[], flags: ImportFlags): Promise<void> {
  const concurrency = countOf('--concurrency', flags.concurrency, 64)
  for (const path of paths) await assertThere(path)
  const work = async (client: OnepeaceClient): Promise<void> => {
    const began = performance.now()
    const { limits } = await client.models()
    const source = joined(
      await Promise.all(
        paths.map((path) => sourceOf(path, { maxBytes: limits.max_request_bytes, prefix: flags.prefix })),
      ),
    )
    await ensureCollection(client, flags.collection)
    const bar = new Progress({ unit: 'items', total: source.count })
    const onProgress = (done: number, failed: number) => bar.update(done, failed > 0 ? `${failed} failed` : '')
    const { signal, release } = atSignal('Stopping: what has begun is finished.')
    const report = await importItems(client, flags.collection, source.candidates, {
      concurrency,
      signal,
      onProgress,
    }).finally(() => {
      bar.stop()
      release()
    })
    tell(report, source, flags, (performance.now() - began) / 1000)
  }
  await withService(flags, work, PATIENT)
}

async function assertThere(path: string): Promise<void> {
  if ((await stat(path).catch(() => undefined)) === undefined) {
    throw new ConfigError(`There is no folder or file ${path} to import.`)
  }
}

async function sourceOf(path: string, options: FolderOptions): Promise<Source> {
  const { maxBytes } = options
  if ((await stat(path)).isDirectory()) {
    const items = join(path, ITEMS_FILE)
    const isExport = (await stat(items).catch(() => undefined))?.isFile()
    return isExport ? ndjsonSource(items, maxBytes) : folderSource(path, options)
  }
  if (/\.(ndjson|jsonl)$/i.test(path)) return ndjsonSource(path, maxBytes)
  if (isImportable(path)) return fileSource(path, options)
  throw new ConfigError(`${path} is neither a folder nor NDJSON, picture, sound or text (.txt).`)
}

function joined(sources: readonly Source[]): Source {
  async function* candidates() {
    for (const source of sources) yield* source.candidates
  }
  const sum = (numbers: number[]) => numbers.reduce((a, b) => a + b, 0)
  return {
    candidates: candidates(),
    count: sum(sources.map(({ count }) => count)),
    leftOut: sum(sources.map(({ leftOut }) => leftOut)),
  }
}

async function ensureCollection(client: OnepeaceClient, name: string): Promise<void> {
  try {
    await client.collections.get(name)
  } catch (error) {
    if (!(error instanceof ProblemError) || error.code !== 'not-found') throw error
    await client.collections.create(name)
    console.error(`Made the collection '${name}'.`)
  }
}

function tell(report: ImportReport, { leftOut }: Source, { collection, json }: ImportFlags, seconds: number): void {
  const { added, replaced, skipped, failed, stopped } = report
  if (failed.length > 0 || stopped !== undefined) process.exitCode = 1
  if (json) return void printJson({ collection, ...report, left_out: leftOut, seconds })
  const told = [
    `${added} added`,
    ...(replaced > 0 ? [`${replaced} replaced`] : []),
    ...(skipped > 0 ? [`${skipped} already there`] : []),
    ...(leftOut > 0 ? [`${leftOut} other files left out`] : []),
    `${failed.length} failed`,
  ]
  console.log(`${collection}: ${told.join(', ')}, in ${asDuration(seconds)}.`)
  for (const { source, reason } of failed.slice(0, LISTED)) console.error(`  ${source}: ${reason}`)
  if (failed.length > LISTED) console.error(`  and ${failed.length - LISTED} more; --json lists all.`)
  if (stopped !== undefined) console.error(`onepeace: ${stopped} Run the same command again to go on where it was.`)
  else if (failed.length === 0) console.error(`Search it: onepeace search "a dog"${searchFlag(collection)}`)
}

const searchFlag = (collection: string) => (collection === 'files' ? '' : ` --collection ${collection}`)
