/** What the whole page knows: the model, its limits, the collections, which one is looked at, whether a key is wanted. */
import { createContext } from 'preact'
import { useCallback, useContext, useEffect, useState } from 'preact/hooks'
import type { Schemas } from './api/call.ts'
import { collectionsCall, modelsCall } from './api/calls.ts'
import { type ProblemError, send } from './api/client.ts'
import { readKey, writeKey } from './api/key.ts'
import { forgetMedia } from './api/media.ts'
import { asProblem } from './ui/hooks.ts'

export type Task = Schemas['HeadDetail']['task']

export interface Session {
  state: 'loading' | 'ready' | 'failed'
  error?: ProblemError
  model?: Schemas['Model']
  limits?: Schemas['Limits']
  collections: Schemas['Collection'][]
  /** Name of the one looked at; empty where there is none. */
  collection: string
  key: string
  choose(collection: string): void
  useKey(key: string): void
  /** Asks for model and collections again. */
  refresh(): Promise<void>
}

const SessionContext = createContext<Session | undefined>(undefined)
export const SessionProvider = SessionContext.Provider

export function useSession(): Session {
  return useContext(SessionContext)!
}

type Known = Pick<Session, 'state' | 'error' | 'model' | 'limits' | 'collections'>

export function useNewSession(asked: string | undefined): Session {
  const [known, setKnown] = useState<Known>({ state: 'loading', collections: [] })
  const [chosen, setChosen] = useState(asked ?? '')
  const [key, setKey] = useState(readKey())
  const refresh = useCallback(async () => {
    try {
      const [models, { collections }] = await Promise.all([
        send<Schemas['ModelList']>(modelsCall(), { retries: 2 }),
        send<Schemas['CollectionList']>(collectionsCall(), { retries: 2 }),
      ])
      setKnown({ state: 'ready', model: models.data[0]!, limits: models.limits, collections })
    } catch (error) {
      setKnown({ state: 'failed', error: asProblem(error), collections: [] })
    }
  }, [])
  useEffect(() => void refresh(), [key])
  const useKey = useCallback((next: string) => {
    writeKey(next)
    forgetMedia()
    setKnown({ state: 'loading', collections: [] })
    setKey(next)
  }, [])
  const names = known.collections.map(({ name }) => name)
  const collection = names.includes(chosen) ? chosen : names.includes('samples') ? 'samples' : (names[0] ?? '')
  return { ...known, collection, key, choose: setChosen, useKey, refresh }
}

export function headsFor(session: Session, ...tasks: Task[]): Schemas['HeadDetail'][] {
  return session.model?.head_details.filter(({ task }) => tasks.includes(task)) ?? []
}
