/** What `serve` does with a store before it answers: bring it up to this version, and say what the model cannot use. On standard error. */
import { SingleBar } from 'cli-progress'
import { DomainError } from '../errors.ts'
import { CatchUp } from '../services/catch-up.ts'
import type { ReembedDeps } from '../services/reembed.ts'
import type { MaintainedStore } from '../vectors/maintenance.ts'
import { type Listener, migrate } from '../vectors/migrations/migrate.ts'

/** Of many collections, those that are named. */
const NAMED = 5

interface Model {
  name: string
  embedDim: number
}

/** @throws DomainError `vector-store-unavailable` */
export async function prepareStore(store: MaintainedStore, model: Model, modelDir: string): Promise<void> {
  await migrate(store, toldOnStderr())
  await nameOtherModels(store, model, modelDir)
}

/**
 * On Qdrant beside the service, which does not wait: a server that cannot be reached now is no reason not to start, and what is
 * pending there makes it slow, not wrong. Then vectors are made, every now and then, of what services with another model wrote.
 */
export function maintainBeside(
  store: MaintainedStore,
  model: Model,
  modelDir: string,
  deps: ReembedDeps,
): { stop(): Promise<void> } {
  const prepared = prepareStore(store, model, modelDir).catch((error: unknown) => {
    const why = error instanceof DomainError ? error.message : error
    console.error('onepeace: Qdrant could not be asked what is pending; `onepeace migrate plan` asks again.', why)
  })
  const catchUp = new CatchUp(store, { model: model.name, embedDim: model.embedDim }, deps)
  catchUp.start()
  return { stop: async () => void (await Promise.all([prepared, catchUp.stop()])) }
}

/** Collections with vectors of another model cannot be searched or added to; which command changes that is said here. */
async function nameOtherModels(store: MaintainedStore, { name, embedDim }: Model, modelDir: string): Promise<void> {
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
