/**
 * Pixels to the square that a graph of pictures takes, by the bundle's own preprocess graph, in a worker thread. A picture so
 * resized gives the same embedding bit for bit, as resizing it once more changes nothing (tests/encoder/lambda-services.test.ts);
 * it is for encoder services that take no large requests.
 */
import type { BundleManifest } from '../bundle/manifest.ts'
import type { ImageInput } from './encoder.ts'
import { SessionHost } from './session-host.ts'
import { Turns } from './turns.ts'

export class PictureResizer {
  readonly #host: SessionHost
  readonly #turns: Turns<SessionHost>

  constructor(bundleDir: string, manifest: BundleManifest) {
    this.#host = new SessionHost({ bundleDir, manifest, sessionOptions: { intraOpThreads: 1 } })
    this.#turns = new Turns([this.#host])
  }

  /** @param preprocessGraph file of the bundle. Ownership of the picture passes on. @throws DomainError `encoder-unavailable` */
  async resize(image: ImageInput, preprocessGraph: string): Promise<ImageInput> {
    const host = await this.#turns.take()
    try {
      const [outcome] = await host.call({ preprocessGraph, inputs: [image] })
      if (outcome!.status === 'rejected') throw outcome!.reason
      return outcome!.value
    } finally {
      this.#turns.release(host)
    }
  }

  close(): Promise<void> {
    return this.#host.stop()
  }
}
