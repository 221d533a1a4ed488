/** Things on their way into a collection: a few at once, each with its own fate. Goes on while one looks elsewhere. */
import { useEffect, useRef, useState } from 'preact/hooks'
import { addItemCall } from '../api/calls.ts'
import { type ProblemError, send } from '../api/client.ts'
import { eachOf } from '../logic/each-of.ts'
import type { Content } from '../logic/parts.ts'
import { bytesInWords } from '../logic/words.ts'
import type { Session } from '../session.ts'
import { asProblem } from '../ui/hooks.ts'

const AT_ONCE = 4
const RETRIES = 5

export interface Upload {
  key: number
  collection: string
  content: Content
  state: 'waiting' | 'sending' | 'done' | 'failed'
  error?: ProblemError
}

export type Uploads = ReturnType<typeof useUploads>

export function useUploads(session: Session) {
  const [list, setList] = useState<Upload[]>([])
  const running = useRef<AbortController | undefined>(undefined)
  const lastKey = useRef(0)
  const change = (key: number, more: Partial<Upload>) =>
    setList((now) => now.map((each) => (each.key === key ? { ...each, ...more } : each)))

  const sendOne = async ({ key, collection, content }: Upload, signal: AbortSignal) => {
    change(key, { state: 'sending' })
    try {
      if (content.kind !== 'text') assertSize(content.file, session.limits?.max_request_bytes)
      await send(addItemCall(collection, content), { signal, retries: RETRIES })
      change(key, { state: 'done' })
    } catch (error) {
      change(key, signal.aborted ? { state: 'waiting' } : { state: 'failed', error: asProblem(error) })
    }
  }
  const start = (uploads: readonly Upload[]) => {
    running.current ??= new AbortController()
    const { signal } = running.current
    void eachOf(uploads, AT_ONCE, (upload) => sendOne(upload, signal), signal).then(session.refresh)
  }
  useEffect(() => () => running.current?.abort(), [])

  const left = list.filter(({ state }) => state === 'sending' || state === 'waiting').length
  return {
    list,
    left,
    /** Whether what is left is on its way. */
    isRunning: list.some(({ state }) => state === 'sending'),
    add: (contents: readonly Content[]) => {
      const added = contents.map(
        (content): Upload => ({ key: ++lastKey.current, collection: session.collection, content, state: 'waiting' }),
      )
      setList((now) => [...now, ...added])
      start(added)
    },
    retry: () => {
      const again = list
        .filter(({ state }) => state === 'failed' || state === 'waiting')
        .map(({ error: _, ...each }): Upload => ({ ...each, state: 'waiting' }))
      setList((now) => now.map((each) => again.find(({ key }) => key === each.key) ?? each))
      start(again)
    },
    stop: () => {
      running.current?.abort()
      running.current = undefined
    },
    clear: () => setList((now) => now.filter(({ state }) => state === 'sending' || state === 'waiting')),
  }
}

/** Else the service hangs up in the middle of it, and the browser does not tell why. */
function assertSize({ size }: Blob, maxBytes = Number.POSITIVE_INFINITY): void {
  if (size <= maxBytes) return
  throw new Error(`The file has ${bytesInWords(size)}; this service takes ${bytesInWords(maxBytes)} at most.`)
}
