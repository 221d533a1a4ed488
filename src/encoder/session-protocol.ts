/** What the main thread and a session worker say to each other. */
import type { BundleManifest } from '../bundle/manifest.ts'
import type { Modality } from '../modality.ts'
import type { EncoderInput, HeadOutput, ImageInput } from './encoder.ts'
import type { SessionOptions } from './onnx-session.ts'

/** `workerData` of a session worker. */
export interface SessionSetup {
  bundleDir: string
  manifest: BundleManifest
  sessionOptions: SessionOptions
  /** How far the worker's threads stand back for others, 0 (default) to 19. */
  nice?: number
}

/** Embeds each input. Without inputs the worker only opens the graphs of the modality. */
export interface EmbedTask {
  modality: Modality
  inputs: EncoderInput[]
}

/** Runs a head on one sample: an input for each of the roles of its manifest entry, in their order. */
export interface HeadTask {
  head: string
  inputs: EncoderInput[]
}

/** Resizes each picture to what a graph takes; `preprocessGraph` is a file of the bundle. */
export interface ResizeTask {
  preprocessGraph: string
  inputs: ImageInput[]
}

export type SessionTask = EmbedTask | HeadTask | ResizeTask

/** What comes of one item of a task: an embedding float32 (D), the head's output, or the picture resized. */
export type ResultOf<Task extends SessionTask> = Task extends HeadTask
  ? HeadOutput
  : Task extends ResizeTask
    ? ImageInput
    : Float32Array

/** `failure` if the task as a whole could not be done, e.g. because the sessions cannot be opened. */
export interface SessionReply<Task extends SessionTask = SessionTask> {
  outcomes: PromiseSettledResult<ResultOf<Task>>[]
  failure?: Error
}
