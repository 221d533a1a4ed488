/** Asking, and what came of it, as state. */
import type { RefObject } from 'preact'
import { useCallback, useEffect, useRef, useState } from 'preact/hooks'
import type { ApiCall } from '../api/call.ts'
import { ProblemError, send } from '../api/client.ts'
import { bytesAt } from '../api/media.ts'

export interface Asking<T> {
  state: 'idle' | 'busy' | 'done' | 'failed'
  /** The last call, for its snippet. */
  call?: ApiCall
  /** The last answer; stays while the next is awaited. */
  answer?: T
  error?: ProblemError
}

export function asProblem(error: unknown): ProblemError {
  if (error instanceof ProblemError) return error
  const detail = error instanceof Error ? error.message : String(error)
  return new ProblemError(0, { title: 'That did not work', detail })
}

/** One question at a time: a new one drops the one before. */
export function useAsk<T>(): [Asking<T>, (call: ApiCall) => Promise<T | undefined>, () => void] {
  const [asking, setAsking] = useState<Asking<T>>({ state: 'idle' })
  const running = useRef<AbortController | undefined>(undefined)
  const ask = useCallback(async (call: ApiCall) => {
    running.current?.abort()
    const controller = new AbortController()
    running.current = controller
    setAsking(({ answer }) => ({ state: 'busy', call, ...(answer !== undefined && { answer }) }))
    try {
      const answer = await send<T>(call, { signal: controller.signal })
      if (running.current !== controller) return undefined
      setAsking({ state: 'done', call, answer })
      return answer
    } catch (error) {
      if (running.current === controller) setAsking({ state: 'failed', call, error: asProblem(error) })
      return undefined
    }
  }, [])
  const clear = useCallback(() => {
    running.current?.abort()
    running.current = undefined
    setAsking({ state: 'idle' })
  }, [])
  useEffect(() => () => running.current?.abort(), [])
  return [asking, ask, clear]
}

/** An address for bytes at hand, freed with the component. */
export function useObjectUrl(blob: Blob | undefined): string | undefined {
  const [url, setUrl] = useState<string>()
  useEffect(() => {
    if (!blob) return setUrl(undefined)
    const made = URL.createObjectURL(blob)
    setUrl(made)
    return () => URL.revokeObjectURL(made)
  }, [blob])
  return url
}

/** Bytes of the API, once they are wanted. */
export function useBytes(path: string | undefined): { blob?: Blob; failed?: ProblemError } {
  const [result, setResult] = useState<{ path?: string; blob?: Blob; failed?: ProblemError }>({})
  useEffect(() => {
    if (path === undefined) return
    let isWanted = true
    bytesAt(path).then(
      (blob) => isWanted && setResult({ path, blob }),
      (error: unknown) => isWanted && setResult({ path, failed: asProblem(error) }),
    )
    return () => {
      isWanted = false
    }
  }, [path])
  return result.path === path ? result : {}
}

/** Whether the element has come near the visible part of the page, from then on. */
export function useSeen(ref: RefObject<Element | null>): boolean {
  const [seen, setSeen] = useState(false)
  useEffect(() => {
    if (seen || !ref.current) return
    const observer = new IntersectionObserver(
      (entries) => entries.some((entry) => entry.isIntersecting) && setSeen(true),
      {
        rootMargin: '300px',
      },
    )
    observer.observe(ref.current)
    return () => observer.disconnect()
  }, [seen])
  return seen
}
