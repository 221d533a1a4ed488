/**
 * `onepeace serve`: the REST API on a socket, until it is told to stop. What opens the model is loaded first: its threads work while
 * this one loads the rest.
 */
import { KeyRing } from '../auth/key-ring.ts'
import { type Config, ConfigError, type ConfigFlags, loadConfig } from '../config.ts'
import { Metrics } from '../http/metrics.ts'
import { isLoopback } from '../http/plugins/loopback-guard.ts'
import { assertDevice } from './device.ts'
import { placesOf } from './on-lambda.ts'
import { openEncoder } from './open-encoder.ts'

export interface ServeFlags extends ConfigFlags {
  /** Fill the `samples` collection if it is not there, and show example searches. */
  samples?: boolean | undefined
}

export async function serve(flags: ServeFlags): Promise<void> {
  const config = loadConfig(flags)
  const keys = config.noAuth ? undefined : await openKeys(config)
  await assertSafe(placesOf(config).callers.host, keys)
  await assertDevice(config.device)
  const metrics = new Metrics({ ofProcess: true })
  const opened = await openEncoder(config, metrics.batchRan)
  opened.encoder.ready().catch((error: unknown) => {
    console.error('onepeace: The model could not be opened; it is tried again with the next request.', error)
  })
  const { runService } = await import('./service.ts')
  await runService(config, { keys, metrics, opened, samples: flags.samples ?? false })
}

function openKeys({ keys, dataDir }: Config): Promise<KeyRing> {
  if (keys === undefined) return KeyRing.open(dataDir)
  return 'text' in keys ? KeyRing.ofText(keys.text) : KeyRing.ofFile(keys.file)
}

/** Without keys, whoever reaches the port may read and write: on any address but loopback that must be asked for. */
async function assertSafe(host: string, keys: KeyRing | undefined): Promise<void> {
  if (isLoopback(host) || keys === undefined || (await keys.hasKeys())) return
  throw new ConfigError(
    `Listening on ${host} would let other machines read and write without a key. ` +
      'Make one with `onepeace keys create`, say --no-auth if that is meant, or listen on 127.0.0.1.',
  )
}
