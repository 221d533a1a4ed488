/** Long work that may be broken off: the first Ctrl-C or SIGTERM asks for an end, the second one ends the process. */

/**
 * @param stop what the first one says at once; or the reason it aborts with, for the work to throw
 * @returns aborted from the first one on; `release` gives the signals back
 */
export function atSignal(stop: string | Error): { signal: AbortSignal; release(): void } {
  const stopping = new AbortController()
  const onSignal = () => {
    if (stopping.signal.aborted) process.exit(130)
    if (typeof stop === 'string') console.error(`\n${stop}`)
    stopping.abort(typeof stop === 'string' ? undefined : stop)
  }
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
  return {
    signal: stopping.signal,
    release: () => {
      process.off('SIGINT', onSignal)
      process.off('SIGTERM', onSignal)
    },
  }
}
