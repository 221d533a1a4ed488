/** `onepeace worker`: does jobs that services have taken, until it is told to stop. Any number of them share the work. */
import { type Config, ConfigError, type ConfigFlags, loadConfig } from '../config.ts'
import { needsDataDir, openServices } from './compose.ts'
import { LINES_OF_A_WORKER } from './job-work.ts'
import { stopOnSignal } from './listening.ts'

export async function work(flags: Pick<ConfigFlags, 'model'>): Promise<void> {
  const config = loadConfig(flags)
  assertShared(config)
  const stopTracing = config.tracing
    ? (await import('../telemetry/tracing.ts')).startTracing('onepeace-worker')
    : undefined
  const services = await openServices(config, { jobs: { linesAtOnce: config.jobs.linesAtOnce ?? LINES_OF_A_WORKER } })
  stopOnSignal(async () => {
    await services.close()
    await stopTracing?.()
  })
  setInterval(() => undefined, 2 ** 30) // a worker whose queue is idle has nothing else that keeps the process
  console.log(`onepeace worker does jobs with the model ${services.models.info.name}.`)
}

/** What a worker writes, services must find. @throws ConfigError */
function assertShared(config: Config): void {
  if (config.queueUrl !== undefined && !needsDataDir(config)) return
  throw new ConfigError(
    'A worker shares queue, files and vectors with the services: set QUEUE_URL, MEDIA_URL and QDRANT_URL, here as there. ' +
      'Without them `onepeace serve` does the jobs itself.',
  )
}
