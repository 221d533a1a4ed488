/** `onepeace migrate plan | apply | status`: how stored collections lie, brought up to this version. `serve` applies the same at its start. */
import { type Config, loadConfig } from '../config.ts'
import { printJson } from '../terminal/print.ts'
import type { MaintainedStore } from '../vectors/maintenance.ts'
import { migrate, plan } from '../vectors/migrations/migrate.ts'
import { toldOnStderr } from './at-start.ts'
import { vectorStoreOf } from './compose.ts'
import { openDataDir } from './data-dir.ts'
import type { DataFlags } from './keys.ts'

interface ListFlags extends DataFlags {
  json?: boolean | undefined
}

/** What there is to do: a line a migration and collection, on standard output. Changes nothing. */
export async function planMigrations(flags: ListFlags): Promise<void> {
  await withStore(loadConfig(flags), async (store) => {
    const steps = await plan(store)
    if (flags.json) printJson(steps.map(({ migration: { id, title }, collections }) => ({ id, title, collections })))
    else if (steps.length === 0) console.error('Nothing to do: every collection is up to date.')
    else
      for (const { migration, collections } of steps)
        for (const collection of collections) console.log([migration.id, collection, migration.title].join('\t'))
  })
}

/** @throws DomainError, DataDirError */
export async function applyMigrations(flags: DataFlags): Promise<void> {
  await withStore(loadConfig(flags), async (store) => {
    let applied = 0
    await migrate(
      store,
      toldOnStderr(() => applied++),
    )
    console.error(applied === 0 ? 'Nothing to do: every collection is up to date.' : 'Every collection is up to date.')
  })
}

/** A line a migration: `done`, or for how many collections it is pending. */
export async function migrationStatus(flags: ListFlags): Promise<void> {
  await withStore(loadConfig(flags), async (store) => {
    const steps = await plan(store)
    const all = store.migrations.map(({ id, title }) => {
      const pending = steps.find(({ migration }) => migration.id === id)?.collections.length ?? 0
      return { id, title, pending }
    })
    if (flags.json) return printJson(all)
    for (const { id, title, pending } of all) {
      console.log([id, pending === 0 ? 'done' : `pending for ${pending} collections`, title].join('\t'))
    }
  })
}

async function withStore(config: Config, use: (store: MaintainedStore) => Promise<void>): Promise<void> {
  // With Qdrant the folder is not touched, and a service may be using it.
  const data = config.qdrantUrl === undefined ? await openDataDir(config.dataDir) : undefined
  const store = vectorStoreOf(config, data ?? { vectorsDir: '' })
  try {
    await store.ready()
    await use(store)
  } finally {
    await store.close()
    await data?.release()
  }
}
