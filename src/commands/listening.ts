/** What commands that listen share: the socket's failures in plain words, and how they end. */
import { ConfigError } from '../config.ts'

export interface Place {
  host: string
  port: number
}

/** Awaits `listen`. @throws ConfigError where the address or port is at fault */
export async function listenAt<T>({ host, port }: Place, listen: () => Promise<T>): Promise<T> {
  try {
    return await listen()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const why: Record<string, string> = {
      EADDRINUSE: `Port ${port} on ${host} is taken by another program.`,
      EACCES: `Port ${port} may not be used by this user.`,
      EADDRNOTAVAIL: `${host} is no address of this machine.`,
      ENOTFOUND: `${host} is no address of this machine.`,
    }
    if (code === undefined || why[code] === undefined) throw error
    throw new ConfigError(`${why[code]} Choose another with --port or --host.`)
  }
}

export function urlOf({ host, port }: Place): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}

/** How long what was begun may take to finish after a signal; then the process ends anyway. */
const DRAIN_MS = 20_000

/**
 * First signal: `stop`, then the end. Second signal: the end at once.
 * @returns aborted from the first signal on
 */
export function stopOnSignal(stop: () => Promise<unknown>): AbortSignal {
  const stopping = new AbortController()
  const end = () => {
    if (stopping.signal.aborted) process.exit(1)
    stopping.abort()
    setTimeout(() => process.exit(1), DRAIN_MS).unref()
    void stop().then(
      () => process.exit(0),
      (error: unknown) => {
        console.error(error)
        process.exit(1)
      },
    )
  }
  process.on('SIGTERM', end)
  process.on('SIGINT', end)
  return stopping.signal
}
