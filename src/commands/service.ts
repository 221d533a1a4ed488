/** The service put together and run: store, model and HTTP surface, until it is told to stop. */
import { setMaxListeners } from 'node:events'
import type { FastifyInstance } from 'fastify'
import type { KeyRing } from '../auth/key-ring.ts'
import type { Config } from '../config.ts'
import { buildApp } from '../http/app.ts'
import type { Metrics } from '../http/metrics.ts'
import { placeOf } from '../media-location.ts'
import { openServices } from './compose.ts'
import { listenAt, type Place, stopOnSignal, urlOf } from './listening.ts'
import { placesOf, takeEvents } from './on-lambda.ts'
import type { OpenEncoder } from './open-encoder.ts'
import { showSamples } from './samples.ts'

export interface ServiceParts {
  keys: KeyRing | undefined
  metrics: Metrics
  opened: OpenEncoder
  samples: boolean
}

/** @throws DataDirError, ConfigError, DomainError `vector-store-unavailable` */
export async function runService(config: Config, { keys, metrics, opened, samples }: ServiceParts): Promise<void> {
  const stopTracing = config.tracing ? (await import('../telemetry/tracing.ts')).startTracing('onepeace') : undefined
  const services = await openServices(config, { metrics, opened })
  const { callers, listening } = placesOf(config)
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
  if (opened.lanes !== undefined) console.log(`Inference: ${opened.lanes}.`)
  if (config.lambdaRuntimeApi !== undefined) takeEvents(config.lambdaRuntimeApi, Number(new URL(url).port))
  if (!samples) return
  try {
    await showSamples(services, url, stopping)
  } catch (error) {
    if (!stopping.aborted) throw error // else what it broke off goes on at the next start
  }
}

function whereDataLies({ dataDir, qdrantUrl, media }: Config): string {
  if (media === undefined) return `data in ${dataDir}`
  return `${qdrantUrl === undefined ? `vectors in ${dataDir}` : 'vectors in Qdrant'}, originals in ${placeOf(media)}`
}

/** @returns where it is reached */
async function listen(app: FastifyInstance, { host, port }: Place): Promise<string> {
  await listenAt({ host, port }, () => app.listen({ host, port, listenTextResolver: () => '' }))
  const address = app.server.address()
  return urlOf({ host, port: typeof address === 'object' && address !== null ? address.port : port })
}
