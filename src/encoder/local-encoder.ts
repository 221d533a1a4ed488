/**
 * The encoder that runs a bundle on this machine: one batcher a modality, and one for all heads, before a few session
 * workers. Samples for heads run one at a time.
 *
 *   encode ──► check ─► batcher (text | image | audio) ─┐
 *   runHead ─► check ─► batcher (heads) ────────────────┴─► turns ─► session host ═► worker thread: onnxruntime
 */
import { availableParallelism } from 'node:os'
import type { BundleManifest } from '../bundle/manifest.ts'
import { DomainError } from '../errors.ts'
import type { Modality } from '../modality.ts'
import { Batcher } from './batcher.ts'
import type { Encoder, EncoderInput, HeadInfo, HeadInputs, HeadOutput, OnBatch } from './encoder.ts'
import { bytesOf, findHead, headsOf, orderInputs } from './head-inputs.ts'
import { bucketOf, checkInput, costOf } from './input-limits.ts'
import { MAX_BATCH, MAX_COST, MAX_HEAD_BYTES } from './queue-bounds.ts'
import { SessionHost } from './session-host.ts'
import type { HeadTask } from './session-protocol.ts'
import { Turns } from './turns.ts'

export interface LocalEncoderOptions {
  /** Session workers, each with the model's weights in memory; default 1. */
  workers?: number
  /** Threads of one inference; default: the cores divided among the workers. */
  intraOpThreads?: number
  /** onnxruntime's execution providers; default `['cpu']`. */
  executionProviders?: readonly string[]
  /** How long an input waits for company while a worker is free, in ms; default 2. */
  maxWaitMs?: number
  /** Most inputs of one batch. */
  maxBatch?: Partial<Record<Modality, number>>
  /** Bound of accepted and unfinished work: tokens, pixels, samples. */
  maxCost?: Partial<Record<Modality, number>>
  onBatch?: OnBatch | undefined
  /** In place of workers that run the bundle, e.g. in tests. */
  hosts?: readonly SessionHost[]
}

const MAX_WAIT_MS = 2

/**
 * The encoder of a bundle. Returns at once; the sessions open with `ready` or the first input, and again after a failure.
 */
export function openLocalEncoder(
  bundleDir: string,
  manifest: BundleManifest,
  options: LocalEncoderOptions = {},
): Encoder {
  return new LocalEncoder(manifest, options.hosts ?? startHosts(bundleDir, manifest, options), options)
}

function startHosts(bundleDir: string, manifest: BundleManifest, options: LocalEncoderOptions): SessionHost[] {
  const { workers = 1, executionProviders } = options
  const intraOpThreads = options.intraOpThreads ?? Math.max(1, Math.floor(availableParallelism() / workers))
  const sessionOptions = { intraOpThreads, ...(executionProviders && { executionProviders }) }
  return Array.from({ length: workers }, () => new SessionHost({ bundleDir, manifest, sessionOptions }))
}

class LocalEncoder implements Encoder {
  readonly embedDim: number
  readonly modalities: readonly Modality[]
  private readonly batchers: Record<Modality, Batcher<EncoderInput, SessionHost>>
  readonly heads: readonly HeadInfo[]
  private readonly headBatcher: Batcher<HeadTask, SessionHost, HeadOutput>
  private readonly sessions: Turns<SessionHost>
  private opened: Promise<void> | undefined
  private closed = false

  constructor(
    private readonly manifest: BundleManifest,
    private readonly hosts: readonly SessionHost[],
    options: LocalEncoderOptions,
  ) {
    this.embedDim = manifest.embedDim
    this.modalities = manifest.modalities
    this.heads = headsOf(manifest)
    this.sessions = new Turns(hosts)
    const batcher = (modality: Modality) => this.batcher(modality, options)
    this.batchers = { text: batcher('text'), image: batcher('image'), audio: batcher('audio') }
    this.headBatcher = new Batcher({
      maxBatch: 1,
      maxWaitMs: 0,
      maxCost: MAX_HEAD_BYTES,
      costOf: ({ inputs }) => bytesOf(inputs),
      bucketOf: () => 0,
      run: ([task], host) => this.forgetOnFailure(host.call(task!)),
      sessions: this.sessions,
      onBatch: (waitsMs, tookMs) => options.onBatch?.('head', waitsMs, tookMs),
    })
  }

  async encode(input: EncoderInput, signal?: AbortSignal): Promise<Float32Array> {
    checkInput(input, this.manifest)
    return this.batchers[input.modality].submit(input, signal)
  }

  async runHead(name: string, inputs: HeadInputs, signal?: AbortSignal): Promise<HeadOutput> {
    const head = findHead(this.manifest, name)
    return this.headBatcher.submit({ head: name, inputs: orderInputs(inputs, head) }, signal)
  }

  ready(): Promise<void> {
    if (this.closed) return Promise.reject(new DomainError('encoder-unavailable', 'The encoder is closed.'))
    this.opened ??= this.openSessions()
    return this.opened
  }

  async close(): Promise<void> {
    this.closed = true
    await Promise.all([...Object.values(this.batchers), this.headBatcher].map((batcher) => batcher.close()))
    await Promise.all(this.hosts.map((host) => host.stop()))
  }

  private batcher(modality: Modality, options: LocalEncoderOptions): Batcher<EncoderInput, SessionHost> {
    return new Batcher({
      maxBatch: options.maxBatch?.[modality] ?? MAX_BATCH[modality],
      maxWaitMs: options.maxWaitMs ?? MAX_WAIT_MS,
      maxCost: options.maxCost?.[modality] ?? MAX_COST[modality],
      costOf: (input) => costOf(input, this.manifest),
      bucketOf: (input) => bucketOf(input, this.manifest),
      run: (inputs, host) => this.forgetOnFailure(host.call({ modality, inputs })),
      sessions: this.sessions,
      onBatch: (waitsMs, tookMs) => options.onBatch?.(modality, waitsMs, tookMs),
    })
  }

  private async openSessions(): Promise<void> {
    const openOne = async () => {
      const host = await this.sessions.take()
      try {
        await this.forgetOnFailure(host.call({ modality: 'text', inputs: [] }))
      } finally {
        this.sessions.release(host)
      }
    }
    await Promise.all(this.hosts.map(openOne))
  }

  /** After a failure `ready` has to look again. */
  private async forgetOnFailure<T>(call: Promise<T>): Promise<T> {
    try {
      return await call
    } catch (error) {
      this.opened = undefined
      throw error
    }
  }
}
