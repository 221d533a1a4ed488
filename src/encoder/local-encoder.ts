/**
 * The encoder that runs a bundle on this machine: one batcher a modality, and one for all heads, before the session workers of
 * their lane. Samples for heads run one at a time.
 *
 *   encode ──► check ─► batcher (text) ─────────────────► turns ─► session host ═► worker thread: onnxruntime
 *          └─► check ─► batcher (image | audio) ─┐
 *   runHead ─► check ─► batcher (heads) ─────────┴──────► turns ─► session host ═► worker thread: onnxruntime
 */
import type { BundleManifest } from '../bundle/manifest.ts'
import { DomainError } from '../errors.ts'
import type { Modality } from '../modality.ts'
import { Batcher } from './batcher.ts'
import { Branches } from './branches.ts'
import type { BranchState, Encoder, EncoderInput, HeadInfo, HeadInputs, HeadOutput, Kind, OnBatch } from './encoder.ts'
import { bytesOf, findHead, headsOf, orderInputs } from './head-inputs.ts'
import { bucketOf, checkInput, costOf, positionsOf } from './input-limits.ts'
import { isSmall, type LaneOptions, lanesOf } from './lanes.ts'
import { MAX_BATCH, MAX_BATCH_POSITIONS, MAX_COST, MAX_HEAD_BYTES } from './queue-bounds.ts'
import { SessionHost } from './session-host.ts'
import type { HeadTask } from './session-protocol.ts'
import { Turns } from './turns.ts'

export interface LocalEncoderOptions extends LaneOptions {
  /** onnxruntime's execution providers; default `['cpu']`. */
  executionProviders?: readonly string[]
  /** Whether weights are repacked for speed, at the price of a second copy in memory; by default where they are small. */
  prepack?: boolean | undefined
  /** Modalities whose branch opens with `ready()`, the others with their first use; default all. */
  preload?: readonly Modality[] | undefined
  /** How long an input waits for company while a worker is free, in ms; default 0. */
  maxWaitMs?: number | undefined
  /** Most inputs of one batch. */
  maxBatch?: Partial<Record<Modality, number>>
  /** Most positions (tokens, patches, frames) of one batch; default `MAX_BATCH_POSITIONS`. */
  maxBatchPositions?: number | undefined
  /** Bound of accepted and unfinished work: tokens, pixels, samples. */
  maxCost?: Partial<Record<Modality, number>>
  onBatch?: OnBatch | undefined
  /** In place of workers that run the bundle, for all kinds of work, e.g. in tests. */
  hosts?: readonly SessionHost[]
}

/** Session workers, and who uses which. */
interface Workers {
  hosts: readonly SessionHost[]
  turns: Turns<SessionHost>
  kinds: readonly Kind[]
}

/**
 * The encoder of a bundle. Returns at once; the sessions open with `ready` or the first input, and again after a failure.
 */
export function openLocalEncoder(
  bundleDir: string,
  manifest: BundleManifest,
  options: LocalEncoderOptions = {},
): Encoder {
  const { hosts } = options
  const given: Workers[] | undefined = hosts && [
    { hosts, turns: new Turns(hosts), kinds: [...manifest.modalities, 'head'] },
  ]
  return new LocalEncoder(manifest, given ?? startWorkers(bundleDir, manifest, options), options)
}

function startWorkers(bundleDir: string, manifest: BundleManifest, options: LocalEncoderOptions): Workers[] {
  const { executionProviders, prepack = isSmall(manifest) } = options
  return lanesOf(manifest, options).map(({ kinds, workers, threads, nice, depth }) => {
    const sessionOptions = { intraOpThreads: threads, prepack, ...(executionProviders && { executionProviders }) }
    const start = () => new SessionHost({ bundleDir, manifest, sessionOptions, nice })
    const hosts = Array.from({ length: workers }, start)
    return { hosts, turns: new Turns(hosts, depth), kinds }
  })
}

class LocalEncoder implements Encoder {
  readonly embedDim: number
  readonly modalities: readonly Modality[]
  private readonly batchers: Record<Modality, Batcher<EncoderInput, SessionHost>>
  readonly heads: readonly HeadInfo[]
  private readonly headBatcher: Batcher<HeadTask, SessionHost, HeadOutput>
  private readonly branches = new Branches((modality) => this.openBranch(modality))
  private readonly preload: readonly Modality[]
  private closed = false

  constructor(
    private readonly manifest: BundleManifest,
    private readonly workers: readonly Workers[],
    options: LocalEncoderOptions,
  ) {
    this.embedDim = manifest.embedDim
    this.modalities = manifest.modalities
    this.heads = headsOf(manifest)
    this.preload = manifest.modalities.filter((modality) => options.preload?.includes(modality) ?? true)
    const batcher = (modality: Modality) => this.batcher(modality, options)
    this.batchers = { text: batcher('text'), image: batcher('image'), audio: batcher('audio') }
    this.headBatcher = new Batcher({
      maxBatch: 1,
      maxWaitMs: 0,
      maxCost: MAX_HEAD_BYTES,
      costOf: ({ inputs }) => bytesOf(inputs),
      bucketOf: () => 0,
      run: ([task], host) => host.call(task!),
      sessions: this.turnsOf('head'),
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

  async ready(modality?: Modality): Promise<void> {
    if (this.closed) throw new DomainError('encoder-unavailable', 'The encoder is closed.')
    const wanted = modality === undefined ? this.preload : [modality]
    await Promise.all(wanted.map((each) => this.branches.ready(each)))
  }

  stateOf(modality: Modality): BranchState {
    return this.branches.stateOf(modality)
  }

  async close(): Promise<void> {
    this.closed = true
    await Promise.all([...Object.values(this.batchers), this.headBatcher].map((batcher) => batcher.close()))
    await Promise.all(this.workers.flatMap(({ hosts }) => hosts.map((host) => host.stop())))
  }

  private batcher(modality: Modality, options: LocalEncoderOptions): Batcher<EncoderInput, SessionHost> {
    return new Batcher({
      maxBatch: options.maxBatch?.[modality] ?? MAX_BATCH[modality],
      maxBatchWork: options.maxBatchPositions ?? MAX_BATCH_POSITIONS,
      workOf: (input) => positionsOf(input, this.manifest),
      maxWaitMs: options.maxWaitMs ?? 0,
      together: true,
      maxCost: options.maxCost?.[modality] ?? MAX_COST[modality],
      costOf: (input) => costOf(input, this.manifest),
      bucketOf: (input) => bucketOf(input, this.manifest),
      run: (inputs, host) => this.branches.watch(modality, host.call({ modality, inputs })),
      sessions: this.turnsOf(modality),
      onBatch: (waitsMs, tookMs) => options.onBatch?.(modality, waitsMs, tookMs),
    })
  }

  /** What has no lane is refused before it gets here. */
  private turnsOf(kind: Kind): Turns<SessionHost> {
    return this.workers.find(({ kinds }) => kinds.includes(kind))?.turns ?? new Turns<SessionHost>([])
  }

  private async openBranch(modality: Modality): Promise<void> {
    const { hosts, turns } = this.workers.find(({ kinds }) => kinds.includes(modality))!
    const openOne = async () => {
      const host = await turns.take()
      try {
        if (!this.closed) await host.call({ modality, inputs: [] })
      } finally {
        turns.release(host)
      }
    }
    await Promise.all(hosts.map(openOne))
  }
}
