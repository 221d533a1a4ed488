/**
 * The encoder that a Config names: the model in this process, or as services elsewhere. Imports little, so that a model can open in
 * its threads while the rest of the program is still being loaded.
 */
import { type Bundle, bundleHash, openBundle } from '../bundle/open.ts'
import type { Config } from '../config.ts'
import type { Encoder, OnBatch } from '../encoder/encoder.ts'
import { describeLanes, lanesOf } from '../encoder/lanes.ts'
import { openLocalEncoder } from '../encoder/local-encoder.ts'

export interface OpenEncoder {
  bundle: Bundle
  encoder: Encoder
  /** How the model runs in this process, for the log; undefined if it does not. */
  lanes: string | undefined
}

export type EncoderConfig = Pick<Config, 'modelDir'> & Partial<Pick<Config, 'encoderUrls' | 'encoderSecret' | 'engine'>>

/** Returns before the model is loaded; `encoder.ready()` loads it. @throws BundleError */
export async function openEncoder(config: EncoderConfig, onBatch?: OnBatch): Promise<OpenEncoder> {
  const { modelDir, encoderUrls: urls = [], encoderSecret, engine } = config
  const bundle = await openBundle(modelDir)
  const { dir, manifest } = bundle
  if (urls.length > 0) {
    const { openRemoteEncoder } = await import('../encoder/remote/remote-encoder.ts')
    const encoder = openRemoteEncoder(manifest, bundleHash(manifest), { urls, secret: encoderSecret!, onBatch })
    return { bundle, encoder, lanes: undefined }
  }
  const encoder = openLocalEncoder(dir, manifest, { ...engine, onBatch })
  return { bundle, encoder, lanes: describeLanes(lanesOf(manifest, engine)) }
}
