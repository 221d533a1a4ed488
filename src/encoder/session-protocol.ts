/** What the main thread and a session worker say to each other. */
import type { BundleManifest } from '../bundle/manifest.ts'
import type { Modality } from '../modality.ts'
import type { EncoderInput } from './encoder.ts'
import type { SessionOptions } from './onnx-session.ts'

/** `workerData` of a session worker. */
export interface SessionSetup {
  bundleDir: string
  manifest: BundleManifest
  sessionOptions: SessionOptions
}

/** Without inputs the worker only opens its sessions. */
export interface SessionTask {
  modality: Modality
  inputs: EncoderInput[]
}

/** `failure` if the task as a whole could not be done, e.g. because the sessions cannot be opened. */
export interface SessionReply {
  outcomes: PromiseSettledResult<Float32Array>[]
  failure?: Error
}
