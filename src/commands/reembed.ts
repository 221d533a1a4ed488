/**
 * `onepeace reembed --to BUNDLE`: vectors of another model for everything stored, from the originals. On Qdrant the old ones are
 * searched meanwhile, by services that go on; the embedded store is one process's, so its service stands still for the time.
 */
import { SingleBar } from 'cli-progress'
import type { BlobStore } from '../blobs/blob-store.ts'
import { type Config, loadConfig } from '../config.ts'
import { DomainError } from '../errors.ts'
import { reembed } from '../services/reembed.ts'
import type { MaintainedStore, ModelVectors, Reembedding } from '../vectors/maintenance.ts'
import { migrate } from '../vectors/migrations/migrate.ts'
import { atSignal } from './at-signal.ts'
import { filesOf, type ModelHalf, needsDataDir, openModel, vectorStoreOf } from './compose.ts'
import { type DataDir, DataDirError, dataLayout, openDataDir, prepareDataDir } from './data-dir.ts'
import type { DataFlags } from './keys.ts'

export interface ReembedFlags extends DataFlags {
  /** Folder of the bundle whose vectors are wanted. */
  to: string
  /** Delete the vectors of all other models afterwards. */
  dropOthers?: boolean | undefined
}

/** Some items cannot have the new vectors; the message says which and why. */
export class ReembedError extends Error {
  override name = 'ReembedError'
}

/** Of many items that cannot have vectors, those that are named. */
const NAMED = 10

/** @throws BundleError, DataDirError, DomainError, ReembedError */
export async function reembedAll(flags: ReembedFlags): Promise<void> {
  const config = loadConfig({ data: flags.data, model: flags.to })
  const data = await openData(config)
  const model = await openModel(config)
  const target = { model: model.info.name, embedDim: model.info.embedDim }
  const store = vectorStoreOf(config, data)
  const { signal: stopping, release } = atSignal(
    new ReembedError('Stopped. What was made is kept: run the command again to go on.'),
  )
  try {
    await model.encoder.ready()
    await store.ready()
    await migrate(store)
    const { blobs } = await filesOf(config, data)
    await store.exclusively(async (lost) => {
      const deps = { content: model.content, blobs, signal: AbortSignal.any([lost, stopping]) }
      for (const { name } of await store.listCollections())
        await reembedOne(store, name, target, deps, flags).catch(unlessDeleted(name))
    })
  } finally {
    release()
    await model.close()
    await store.close()
    await data.release?.()
  }
  console.error(`Done. Start the service with --model ${flags.to}.`)
  if (config.qdrantUrl !== undefined && !flags.dropOthers)
    console.error('Once no service uses the old model any more, say the same with --drop-others: that frees its room.')
}

async function reembedOne(
  store: MaintainedStore,
  name: string,
  target: ModelVectors,
  deps: { content: ModelHalf['content']; blobs: BlobStore; signal: AbortSignal },
  { dropOthers }: ReembedFlags,
): Promise<void> {
  const reembedding = await store.reembedding(name, target)
  try {
    const { items, missing } = await reembedding.count()
    const bar = new SingleBar({ format: FORMAT, hideCursor: null, noTTYOutput: true, notTTYSchedule: LOG_EVERY_MS })
    const began = performance.now()
    let done = 0
    bar.start(items, items - missing, { name, rate: '–' })
    const onDone = (more: number) => {
      done += more
      bar.increment(more, { name, rate: ((done * 1000) / (performance.now() - began)).toFixed(1) })
    }
    const refusals = await reembed(reembedding, { ...deps }, { signal: deps.signal, onDone }).finally(() => bar.stop())
    if (refusals.length > 0) throw refused(name, target, refusals)
    console.error(`${name}: all ${items} items have vectors of ${target.model}; ${done} were made now.`)
    if (dropOthers) await drop(reembedding)
  } finally {
    await reembedding.close()
  }
}

/** Services go on meanwhile, and may delete the collection. */
function unlessDeleted(name: string): (error: unknown) => void {
  return (error) => {
    if (!(error instanceof DomainError && error.code === 'not-found')) throw error
    console.error(`${name}: the collection was deleted meanwhile.`)
  }
}

/** Where nobody looks at a terminal, a line now and then. */
const LOG_EVERY_MS = 10_000
const FORMAT = '{name} {bar} {value}/{total} items, {rate} a second, {eta_formatted} left'

async function drop(reembedding: Reembedding): Promise<void> {
  for (const model of await reembedding.dropOthers())
    console.error(`${reembedding.name}: the vectors of ${model} are deleted.`)
}

function refused(name: string, { model }: ModelVectors, refusals: { id: string; why: string }[]): ReembedError {
  const named = refusals.slice(0, NAMED).map(({ id, why }) => `\n  ${id}: ${why}`)
  const more = refusals.length > NAMED ? `\n  and ${refusals.length - NAMED} more` : ''
  return new ReembedError(
    `${refusals.length} items of ${name} cannot have vectors of ${model}; nothing was changed over, the old ones are still ` +
      `searched. Delete these items or put them again, and run the command again: it goes on where it was.${named.join('')}${more}`,
  )
}

/** With Qdrant a service may be using the folder, of which only originals are read. @throws DataDirError */
async function openData(config: Config): Promise<Omit<DataDir, 'release'> & Partial<DataDir>> {
  const { dataDir, qdrantUrl } = config
  if (qdrantUrl !== undefined) {
    if (needsDataDir(config)) await prepareDataDir(dataDir)
    return dataLayout(dataDir)
  }
  return openDataDir(dataDir).catch((error: unknown) => {
    if (!(error instanceof DataDirError)) throw error
    const why = 'The embedded store is one process’s: its vectors can be made anew only while the service stands.'
    throw new DataDirError(`${error.message} ${why}`)
  })
}
