/** `onepeace encoder`: the model as a service of its own, until it is told to stop. */
import { bundleHash, openBundle } from '../bundle/open.ts'
import { ConfigError, type ConfigFlags, loadConfig } from '../config.ts'
import { openLocalEncoder } from '../encoder/local-encoder.ts'
import { EncoderServer } from '../encoder/remote/encoder-server.ts'
import { Metrics } from '../http/metrics.ts'
import type { Limits } from '../services/limits.ts'
import { assertDevice } from './device.ts'
import { listenAt, stopOnSignal, urlOf } from './listening.ts'
import { placesOf, takeEvents } from './on-lambda.ts'
import { engineOf } from './open-encoder.ts'

/** Header, texts and sounds of a request, beside its pictures. */
const SPARE_BYTES = 64 * 1024 * 1024

export async function serveEncoder(flags: Pick<ConfigFlags, 'host' | 'port' | 'model'>): Promise<void> {
  const config = loadConfig(flags, undefined, { port: '8081' })
  const { modelDir, encoderSecret, limits, device, lambdaRuntimeApi } = config
  const { host, port } = placesOf(config).listening
  if (encoderSecret === undefined) {
    throw new ConfigError(
      'Set ENCODER_SECRET, here and where ENCODER_URL is set; make one with `openssl rand -hex 32`.',
    )
  }
  await assertDevice(device)
  const { dir, manifest } = await openBundle(modelDir)
  const metrics = new Metrics({ ofProcess: true })
  const encoder = openLocalEncoder(dir, manifest, { ...engineOf(config), onBatch: metrics.batchRan })
  const model = { name: manifest.name, sha256: bundleHash(manifest) }
  const log = (message: string, error: unknown) => console.error(message, error)
  const server = new EncoderServer({
    encoder,
    model,
    secret: encoderSecret,
    maxBodyBytes: bodyBytesOf(limits),
    metrics,
    log,
  })
  stopOnSignal(async () => {
    await server.close()
    await encoder.close()
  })
  const address = await listenAt({ host, port }, () => server.listen(port, host))
  if (lambdaRuntimeApi !== undefined) takeEvents(lambdaRuntimeApi, address.port)
  encoder
    .ready()
    .catch((error: unknown) => log('The model could not be opened; it is tried again with the next request.', error))
  console.log(`onepeace encoder is listening on ${urlOf({ host, port: address.port })} with the model ${model.name}.`)
}

/** A head may take two pictures. */
function bodyBytesOf({ maxImagePixels }: Limits): number {
  return 2 * 3 * maxImagePixels + SPARE_BYTES
}
