/**
 * The encoder that a Config names: the model in this process, or as services elsewhere. Imports little, so that a model can open in
 * its threads while the rest of the program is still being loaded.
 */
import { type Bundle, bundleHash, openBundle } from '../bundle/open.ts'
import type { Config } from '../config.ts'
import type { Encoder, OnBatch } from '../encoder/encoder.ts'
import { describeLanes, lanesOf } from '../encoder/lanes.ts'
import { openLocalEncoder } from '../encoder/local-encoder.ts'
import type { Metrics } from '../http/metrics.ts'
import { staged } from '../telemetry/watched.ts'

export interface OpenEncoder {
  bundle: Bundle
  encoder: Encoder
  /** How the model runs in this process, for the log; undefined if it does not. */
  lanes: string | undefined
}

export type EncoderConfig = Pick<Config, 'modelDir'> &
  Partial<Pick<Config, 'encoderUrls' | 'encoderSecret' | 'encoderWakeS' | 'encoderTextLocal' | 'device' | 'engine'>>

/** Returns before the model is loaded; `encoder.ready()` loads it. @throws BundleError */
export async function openEncoder(config: EncoderConfig, onBatch?: Metrics['batchRan']): Promise<OpenEncoder> {
  const bundle = await openBundle(config.modelDir)
  if (config.encoderUrls?.length)
    return { bundle, encoder: await servicesOf(config, bundle, onBatch), lanes: undefined }
  const { dir, manifest } = bundle
  const encoder = openLocalEncoder(dir, manifest, { ...engineOf(config), onBatch })
  return { bundle, encoder, lanes: describeLanes(lanesOf(manifest, config.engine)) }
}

async function servicesOf(config: EncoderConfig, bundle: Bundle, onBatch?: Metrics['batchRan']): Promise<Encoder> {
  const { encoderUrls: urls = [], encoderSecret, encoderWakeS: wakeS, encoderTextLocal } = config
  const { dir, manifest } = bundle
  const { openRemoteEncoder } = await import('../encoder/remote/remote-encoder.ts')
  const { PictureResizer } = await import('../encoder/picture-resizer.ts')
  const resizer = new PictureResizer(dir, manifest)
  const options = { urls, secret: encoderSecret!, wakeS, resizer, onBatch }
  const services = openRemoteEncoder(manifest, bundleHash(manifest), options)
  if (!encoderTextLocal) return services
  const { TextFallback, textOnly } = await import('../encoder/text-fallback.ts')
  const onLocalBatch: OnBatch = (_kind, waitsMs, tookMs) => onBatch?.('text_local', waitsMs, tookMs)
  const text = openLocalEncoder(dir, textOnly(manifest), { ...engineOf(config), onBatch: onLocalBatch })
  return new TextFallback(services, staged(text, 'encode_local', ['encode']))
}

export function engineOf({ device = 'cpu', engine }: Pick<EncoderConfig, 'device' | 'engine'>) {
  return { ...engine, executionProviders: [device] }
}
