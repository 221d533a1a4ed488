/**
 * Applies what is pending, in order of number. Two processes that start at once: one does it, the other waits and finds it done. One
 * that dies half way: the next goes on, for each migration asks the collections themselves what they lack.
 */
import type { MaintainedStore, Migration } from '../maintenance.ts'

export interface Step {
  migration: Migration
  /** In order of name. */
  collections: string[]
}

export interface Listener {
  begins?(migration: Migration, collection: string): void
  progress?(done: number, total: number): void
}

/** Only what there is to do. */
export async function plan({ migrations }: Pick<MaintainedStore, 'migrations'>): Promise<Step[]> {
  const steps: Step[] = []
  for (const migration of migrations) steps.push({ migration, collections: await migration.pending() })
  return steps.filter(({ collections }) => collections.length > 0)
}

/** @throws DomainError `vector-store-unavailable` */
export async function migrate(store: MaintainedStore, listener: Listener = {}): Promise<void> {
  if ((await plan(store)).length === 0) return
  await store.exclusively(async (signal) => {
    for (const migration of store.migrations) {
      for (const collection of await migration.pending()) {
        signal.throwIfAborted()
        listener.begins?.(migration, collection)
        await migration.apply(collection, listener.progress)
      }
    }
  })
}
