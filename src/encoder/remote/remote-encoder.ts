/**
 * The encoder as services elsewhere: one batcher a kind of work, before a few requests at once to each replica.
 *
 *   encode ──► check ─► batcher (text | image | audio) ─┐
 *   runHead ─► check ─► batcher (heads) ────────────────┴─► a free slot ─► dispatcher ─► replica ═► HTTP
 *
 * What waits for a slot shares a request; nothing waits for company here, as the service itself does that.
 */
import type { BundleManifest } from '../../bundle/manifest.ts'
import { DomainError } from '../../errors.ts'
import type { Modality } from '../../modality.ts'
import { Batcher } from '../batcher.ts'
import type { Encoder, EncoderInput, HeadInfo, HeadInputs, HeadOutput, OnBatch } from '../encoder.ts'
import { bytesOf, findHead, headsOf, orderInputs } from '../head-inputs.ts'
import { checkInput, costOf } from '../input-limits.ts'
import { MAX_BATCH, MAX_COST, MAX_HEAD_BYTES } from '../queue-bounds.ts'
import { Turns } from '../turns.ts'
import { Dispatcher, type Job } from './dispatcher.ts'
import type { Kind } from './health.ts'
import { Replica, type ReplicaOptions } from './replica.ts'
import type { Result } from './wire.ts'

export interface RemoteEncoderOptions extends Omit<ReplicaOptions, 'model'> {
  /** Addresses of the services, e.g. `http://10.0.0.5:8081`; at least one. */
  urls: readonly string[]
  /** How long an input waits for any service to come back, from when the last was lost; default 5000. */
  patienceMs?: number
  onBatch?: OnBatch | undefined
}

interface QueuedJob extends Job {
  cost: number
  bucket: number
}

const PATIENCE_MS = 5000
/** Requests of one kind at once to one replica: it has the next at hand when it is done with one. */
const SLOTS = 4
/** Inputs larger than this travel alone, so that a request stays small: 4 MiB, a picture of 1.4 MP. */
const MAX_SHARED_BYTES = 4 * 1024 * 1024

/** @param sha256 the bundle's hash; services that have another bundle are not used */
export function openRemoteEncoder(manifest: BundleManifest, sha256: string, options: RemoteEncoderOptions): Encoder {
  return new RemoteEncoder(manifest, sha256, options)
}

class RemoteEncoder implements Encoder {
  readonly embedDim: number
  readonly modalities: readonly Modality[]
  readonly heads: readonly HeadInfo[]
  readonly #manifest: BundleManifest
  readonly #replicas: readonly Replica[]
  readonly #dispatcher: Dispatcher
  readonly #batchers: Record<Kind, Batcher<QueuedJob, number, Result>>
  #alone = 0
  #closed = false

  constructor(manifest: BundleManifest, sha256: string, options: RemoteEncoderOptions) {
    this.embedDim = manifest.embedDim
    this.modalities = manifest.modalities
    this.heads = headsOf(manifest)
    this.#manifest = manifest
    const { urls, patienceMs = PATIENCE_MS, onBatch, ...replicaOptions } = options
    const model = { name: manifest.name, sha256 }
    this.#replicas = urls.map((url) => new Replica(url, { ...replicaOptions, model }))
    this.#dispatcher = new Dispatcher(this.#replicas, sha256, patienceMs)
    const batcher = (kind: Kind, maxBatch: number, maxCost: number) =>
      new Batcher<QueuedJob, number, Result>({
        maxBatch,
        maxWaitMs: 0,
        maxCost: maxCost * urls.length,
        costOf: ({ cost }) => cost,
        bucketOf: ({ bucket }) => bucket,
        run: (jobs) => this.#dispatcher.run(jobs),
        sessions: new Turns(Array.from({ length: SLOTS * urls.length }, (_, i) => i)),
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
    const job = { kind, inputs: { [kind]: input }, signal }
    return (await this.#submit(job, costOf(input, this.#manifest))) as Float32Array
  }

  async runHead(name: string, inputs: HeadInputs, signal?: AbortSignal): Promise<HeadOutput> {
    const ordered = orderInputs(inputs, findHead(this.#manifest, name))
    return (await this.#submit({ kind: 'head', head: name, inputs, signal }, bytesOf(ordered))) as HeadOutput
  }

  async ready(): Promise<void> {
    if (this.#closed) throw new DomainError('encoder-unavailable', 'The encoder is closed.')
    const isReady = () => this.#replicas.some((replica) => replica.isReady)
    if (isReady()) return
    await Promise.all(this.#replicas.map((replica) => replica.probe()))
    if (!isReady()) throw this.#dispatcher.unavailable()
  }

  async close(): Promise<void> {
    this.#closed = true
    await Promise.all(Object.values(this.#batchers).map((batcher) => batcher.close()))
    await Promise.all(this.#replicas.map((replica) => replica.close()))
  }

  #submit(job: Job, cost: number): Promise<Result> {
    const isLarge = bytesOf(Object.values(job.inputs)) > MAX_SHARED_BYTES
    const bucket = isLarge ? ++this.#alone : 0
    return this.#batchers[job.kind].submit({ ...job, cost, bucket }, job.signal)
  }
}
