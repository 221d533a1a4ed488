/**
 * The encoder as services elsewhere: one batcher a kind of work, before a few requests at once to each replica.
 *
 *   encode ──► check ─► batcher (text | image | audio) ─┐
 *   runHead ─► check ─► batcher (heads) ────────────────┴─► a free slot ─► dispatcher ─► replica ═► HTTP
 *
 * What waits for a slot shares a request; nothing waits for company here, as the service itself does that.
 */
import type { BundleManifest, InputSpecs } from '../../bundle/manifest.ts'
import { DomainError } from '../../errors.ts'
import type { Modality } from '../../modality.ts'
import { Batcher } from '../batcher.ts'
import type { EncoderInput, HeadInfo, HeadInputs, HeadOutput, ImageInput, Kind, OnBatch } from '../encoder.ts'
import { bytesOf, findHead, headsOf, orderInputs } from '../head-inputs.ts'
import { checkInput, costOf } from '../input-limits.ts'
import { MAX_BATCH, MAX_COST, MAX_HEAD_BYTES } from '../queue-bounds.ts'
import type { ServicesEncoder } from '../text-fallback.ts'
import { Turns } from '../turns.ts'
import { Dispatcher, type Job } from './dispatcher.ts'
import { Replica, type ReplicaOptions } from './replica.ts'
import { Wake } from './wake.ts'
import type { Result } from './wire.ts'

export interface RemoteEncoderOptions extends Omit<ReplicaOptions, 'model'> {
  /** Addresses of the services, e.g. `http://10.0.0.5:8081`; at least one. */
  urls: readonly string[]
  /** How long an input waits for any service to come back, from when the last was lost; default 5000. */
  patienceMs?: number
  /** How long services take from nothing to ready, where they sleep until they are wanted; default 0: they never sleep. */
  wakeS?: number | undefined
  /** For services that take no large requests: resizes what is larger. Needed where `reach` bounds a request. */
  resizer?: Resizer | undefined
  onBatch?: OnBatch | undefined
}

export interface Resizer {
  resize(image: ImageInput, preprocessGraph: string): Promise<ImageInput>
  close(): Promise<void>
}

interface QueuedJob extends Job {
  cost: number
  bucket: number
}

const PATIENCE_MS = 5000
/** Inputs larger than this travel alone, so that a request stays small: 4 MiB, a picture of 1.4 MP. */
const MAX_SHARED_BYTES = 4 * 1024 * 1024

/** @param sha256 the bundle's hash; services that have another bundle are not used */
export function openRemoteEncoder(
  manifest: BundleManifest,
  sha256: string,
  options: RemoteEncoderOptions,
): ServicesEncoder {
  return new RemoteEncoder(manifest, sha256, options)
}

class RemoteEncoder implements ServicesEncoder {
  readonly embedDim: number
  readonly modalities: readonly Modality[]
  readonly heads: readonly HeadInfo[]
  readonly #manifest: BundleManifest
  readonly #replicas: readonly Replica[]
  readonly #dispatcher: Dispatcher
  readonly #wake: Wake
  readonly #resizer: Resizer | undefined
  readonly #batchers: Record<Kind, Batcher<QueuedJob, number, Result>>
  #alone = 0
  #closed = false

  constructor(manifest: BundleManifest, sha256: string, options: RemoteEncoderOptions) {
    this.embedDim = manifest.embedDim
    this.modalities = manifest.modalities
    this.heads = headsOf(manifest)
    this.#manifest = manifest
    const { urls, patienceMs = PATIENCE_MS, wakeS = 0, resizer, onBatch, ...replicaOptions } = options
    const model = { name: manifest.name, sha256 }
    this.#replicas = urls.map((url) => new Replica(url, { ...replicaOptions, model }))
    this.#wake = new Wake(this.#replicas, wakeS, patienceMs)
    this.#dispatcher = new Dispatcher(this.#replicas, sha256, patienceMs, this.#wake)
    this.#resizer = resizer
    const slots = this.#replicas.reduce((sum, { reach }) => sum + reach.slots, 0)
    const batcher = (kind: Kind, maxBatch: number, maxCost: number) =>
      new Batcher<QueuedJob, number, Result>({
        maxBatch,
        maxWaitMs: 0,
        maxCost: maxCost * urls.length,
        costOf: ({ cost }) => cost,
        bucketOf: ({ bucket }) => bucket,
        run: (jobs) => this.#dispatcher.run(jobs),
        sessions: new Turns(Array.from({ length: slots }, (_, i) => i)),
        onBatch: (waitsMs, tookMs) => onBatch?.(kind, waitsMs, tookMs),
      })
    this.#batchers = {
      text: batcher('text', MAX_BATCH.text, MAX_COST.text),
      image: batcher('image', MAX_BATCH.image, MAX_COST.image),
      audio: batcher('audio', MAX_BATCH.audio, MAX_COST.audio),
      head: batcher('head', 1, MAX_HEAD_BYTES),
    }
  }

  async encode(input: EncoderInput, signal?: AbortSignal): Promise<Float32Array> {
    checkInput(input, this.#manifest)
    const kind = input.modality
    const inputs = await this.#fitting({ [kind]: input }, this.#manifest)
    return (await this.#submit({ kind, inputs, signal }, costOf(inputs[kind]!, this.#manifest))) as Float32Array
  }

  async runHead(name: string, inputs: HeadInputs, signal?: AbortSignal): Promise<HeadOutput> {
    const head = findHead(this.#manifest, name)
    orderInputs(inputs, head)
    const fitting = await this.#fitting(inputs, head)
    const job = { kind: 'head', head: name, inputs: fitting, signal } as const
    return (await this.#submit(job, bytesOf(Object.values(fitting)))) as HeadOutput
  }

  get isReady(): boolean {
    return this.#replicas.some((replica) => replica.isReady)
  }

  /** Services that sleep as they may are no reason not to be ready. */
  async ready(): Promise<void> {
    if (this.#closed) throw new DomainError('encoder-unavailable', 'The encoder is closed.')
    if (this.isReady) return
    await Promise.all(this.#replicas.map((replica) => replica.probe()))
    if (!this.isReady && !this.#wake.isAsleep) throw this.#dispatcher.unavailable()
  }

  async close(): Promise<void> {
    this.#closed = true
    await Promise.all(Object.values(this.#batchers).map((batcher) => batcher.close()))
    await Promise.all([...this.#replicas.map((replica) => replica.close()), this.#resizer?.close()])
  }

  /** Pictures of a request that services would not take are resized here. */
  async #fitting<I extends HeadInputs>(inputs: I, { image }: InputSpecs): Promise<I> {
    if (this.#resizer === undefined || bytesOf(Object.values(inputs)) <= this.#dispatcher.maxRequestBytes) return inputs
    const fitting = Object.entries(inputs).map(async ([role, input]: [string, EncoderInput]) => [
      role,
      input.modality === 'image' ? await this.#resizer!.resize(input, image!.preprocessGraph) : input,
    ])
    return Object.fromEntries(await Promise.all(fitting)) as I
  }

  async #submit(job: Job, cost: number): Promise<Result> {
    await this.#wake.up(job.signal)
    const isLarge = bytesOf(Object.values(job.inputs)) > MAX_SHARED_BYTES
    const bucket = isLarge ? ++this.#alone : 0
    return this.#batchers[job.kind].submit({ ...job, cost, bucket }, job.signal)
  }
}
