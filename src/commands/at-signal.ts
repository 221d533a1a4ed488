/** Long work that may be broken off: the first Ctrl-C or SIGTERM asks for an end, the second one ends the process. */

/** @param message what the first one says. @returns aborted from the first one on; `release` gives the signals back */
export function atSignal(message: string): { signal: AbortSignal; release(): void } {
  const stopping = new AbortController()
  const stop = () => {
    if (stopping.signal.aborted) process.exit(130)
    console.error(`\n${message}`)
    stopping.abort()
  }
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
  return {
    signal: stopping.signal,
    release: () => {
      process.off('SIGINT', stop)
      process.off('SIGTERM', stop)
    },
  }
}
