/** What `serve` does with a store before it answers: bring it up to this version, and say what the model cannot use. On standard error. */
import { SingleBar } from 'cli-progress'
import { DomainError } from '../errors.ts'
import type { MaintainedStore } from '../vectors/maintenance.ts'
import { type Listener, migrate } from '../vectors/migrations/migrate.ts'

/** Of many collections, those that are named. */
const NAMED = 5

/**
 * On the embedded store nothing may be asked of it before. A Qdrant that cannot be reached is no reason not to start: what is
 * pending there makes it slow, not wrong.
 */
export async function prepareStore(
  store: MaintainedStore,
  model: { name: string; embedDim: number },
  modelDir: string,
): Promise<void> {
  await migrate(store, toldOnStderr())
  await nameOtherModels(store, model, modelDir)
}

export function tellUnreached(error: unknown): void {
  const why = error instanceof DomainError ? error.message : error
  console.error(
    'onepeace: Qdrant could not be asked whether migrations are pending; `onepeace migrate plan` asks again.',
    why,
  )
}

/** Collections with vectors of another model cannot be searched or added to; which command changes that is said here. */
async function nameOtherModels(
  store: MaintainedStore,
  { name, embedDim }: { name: string; embedDim: number },
  modelDir: string,
): Promise<void> {
  const all = await store.listCollections()
  const others = all.filter((collection) => collection.model !== name || collection.embedDim !== embedDim)
  if (others.length === 0) return
  const named = others.slice(0, NAMED).map((collection) => `${collection.name} (${collection.model})`)
  const more = others.length > NAMED ? `, and ${others.length - NAMED} more` : ''
  console.error(
    `onepeace: Collections with vectors of another model than ${name}: ${named.join(', ')}${more}. They can be read, but not ` +
      `searched or added to. \`onepeace reembed --to ${modelDir}\` makes vectors of this model for them.`,
  )
}

export function toldOnStderr(onBegin: () => void = () => undefined): Listener {
  const bar = new SingleBar({ format: '  {bar} {value}/{total} rows', clearOnComplete: true, hideCursor: null })
  return {
    begins: ({ id, title }, collection) => {
      onBegin()
      console.error(`Migration ${id} of ${collection}: ${title}.`)
    },
    progress: (done, total) => {
      if (!bar.isActive) bar.start(total, 0)
      bar.update(done)
      if (done >= total) bar.stop()
    },
  }
}
