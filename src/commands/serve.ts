/** `onepeace serve`: the REST API on a socket, until it is told to stop. */
import { setMaxListeners } from 'node:events'
import type { FastifyInstance } from 'fastify'
import { KeyRing } from '../auth/key-ring.ts'
import { type Config, ConfigError, type ConfigFlags, loadConfig } from '../config.ts'
import { buildApp } from '../http/app.ts'
import { isLoopback } from '../http/plugins/loopback-guard.ts'
import { openServices } from './compose.ts'
import { assertDevice } from './device.ts'
import { listenAt, type Place, stopOnSignal, urlOf } from './listening.ts'
import { placesOf, takeEvents } from './on-lambda.ts'
import { showSamples } from './samples.ts'

export interface ServeFlags extends ConfigFlags {
  /** Fill the `samples` collection if it is not there, and show example searches. */
  samples?: boolean | undefined
}

export async function serve(flags: ServeFlags): Promise<void> {
  const config = loadConfig(flags)
  const keys = config.noAuth ? undefined : await openKeys(config)
  const { callers, listening } = placesOf(config)
  await assertSafe(callers.host, keys)
  await assertDevice(config.device)
  const stopTracing = config.tracing ? (await import('../telemetry/tracing.ts')).startTracing('onepeace') : undefined
  const services = await openServices(config)
  const app = await buildApp({ ...config, ...callers, keys }, services)
  const stopping = stopOnSignal(async () => {
    await app.close()
    await services.close()
    await stopTracing?.()
  })
  setMaxListeners(0, stopping) // each sample being added listens
  let url: string
  try {
    url = await listen(app, listening)
  } catch (error) {
    await services.close()
    throw error
  }
  console.log(`onepeace is listening on ${url} with the model ${services.models.info.name}; ${whereDataLies(config)}.`)
  if (config.lambdaRuntimeApi !== undefined) takeEvents(config.lambdaRuntimeApi, Number(new URL(url).port))
  if (!flags.samples) return
  try {
    await showSamples(services, url, stopping)
  } catch (error) {
    if (!stopping.aborted) throw error // else what it broke off goes on at the next start
  }
}

function openKeys({ keys, dataDir }: Config): Promise<KeyRing> {
  if (keys === undefined) return KeyRing.open(dataDir)
  return 'text' in keys ? KeyRing.ofText(keys.text) : KeyRing.ofFile(keys.file)
}

function whereDataLies({ dataDir, qdrantUrl, media }: Config): string {
  if (media === undefined) return `data in ${dataDir}`
  const originals = media.kind === 's3' ? `the bucket ${media.bucket}` : media.dir
  return `${qdrantUrl === undefined ? `vectors in ${dataDir}` : 'vectors in Qdrant'}, originals in ${originals}`
}

/** Without keys, whoever reaches the port may read and write: on any address but loopback that must be asked for. */
async function assertSafe(host: string, keys: KeyRing | undefined): Promise<void> {
  if (isLoopback(host) || keys === undefined || (await keys.hasKeys())) return
  throw new ConfigError(
    `Listening on ${host} would let other machines read and write without a key. ` +
      'Make one with `onepeace keys create`, say --no-auth if that is meant, or listen on 127.0.0.1.',
  )
}

/** @returns where it is reached */
async function listen(app: FastifyInstance, { host, port }: Place): Promise<string> {
  await listenAt({ host, port }, () => app.listen({ host, port, listenTextResolver: () => '' }))
  const address = app.server.address()
  return urlOf({ host, port: typeof address === 'object' && address !== null ? address.port : port })
}
