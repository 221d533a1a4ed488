/** `onepeace serve`: the REST API on a socket, until it is told to stop. */
import { setMaxListeners } from 'node:events'
import type { FastifyInstance } from 'fastify'
import { KeyRing } from '../auth/key-ring.ts'
import { type Config, ConfigError, type ConfigFlags, loadConfig } from '../config.ts'
import { buildApp } from '../http/app.ts'
import { isLoopback } from '../http/plugins/loopback-guard.ts'
import { openServices, type Services } from './compose.ts'
import { showSamples } from './samples.ts'

export interface ServeFlags extends ConfigFlags {
  /** Fill the `samples` collection if it is not there, and show example searches. */
  samples?: boolean | undefined
}

/** How long requests in flight may take to finish after a signal; then the process ends anyway. */
const DRAIN_MS = 20_000

export async function serve(flags: ServeFlags): Promise<void> {
  const config = loadConfig(flags)
  const keys = config.noAuth ? undefined : await KeyRing.open(config.dataDir)
  await assertSafe(config.host, keys)
  const stopTracing = config.tracing ? (await import('../telemetry/tracing.ts')).startTracing('onepeace') : undefined
  const services = await openServices(config)
  const app = await buildApp({ ...config, keys }, services)
  const stopping = stopOnSignal(app, services, stopTracing)
  try {
    await listen(app, config)
  } catch (error) {
    await services.close()
    throw error
  }
  const url = urlOf(app, config)
  console.log(`onepeace is listening on ${url} with the model ${services.models.info.name}; data in ${config.dataDir}.`)
  if (!flags.samples) return
  try {
    await showSamples(services, url, stopping)
  } catch (error) {
    if (!stopping.aborted) throw error // else what it broke off goes on at the next start
  }
}

/** Without keys, whoever reaches the port may read and write: on any address but loopback that must be asked for. */
async function assertSafe(host: string, keys: KeyRing | undefined): Promise<void> {
  if (isLoopback(host) || keys === undefined || (await keys.hasKeys())) return
  throw new ConfigError(
    `Listening on ${host} would let other machines read and write without a key. ` +
      'Make one with `onepeace keys create`, say --no-auth if that is meant, or listen on 127.0.0.1.',
  )
}

async function listen(app: FastifyInstance, { host, port }: Config): Promise<void> {
  try {
    await app.listen({ host, port, listenTextResolver: () => '' })
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

function urlOf(app: FastifyInstance, { host, port }: Config): string {
  const address = app.server.address()
  const actual = typeof address === 'object' && address !== null ? address.port : port
  return `http://${host.includes(':') ? `[${host}]` : host}:${actual}`
}

/** @returns aborted from the first signal on. First signal: no new requests, finish those in flight, close model and store. Second signal: at once. */
function stopOnSignal(app: FastifyInstance, services: Services, stopTracing?: () => Promise<void>): AbortSignal {
  const stopping = new AbortController()
  setMaxListeners(0, stopping.signal) // each sample being added listens
  const stop = () => {
    if (stopping.signal.aborted) process.exit(1)
    stopping.abort()
    setTimeout(() => process.exit(1), DRAIN_MS).unref()
    void app
      .close()
      .then(() => services.close())
      .then(() => stopTracing?.())
      .then(
        () => process.exit(0),
        (error: unknown) => {
          console.error(error)
          process.exit(1)
        },
      )
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
  return stopping.signal
}
