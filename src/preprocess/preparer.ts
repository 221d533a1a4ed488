/** `prepareAudio` in a worker thread: resampling half an hour takes seconds, which must not stop the HTTP loop. */
import { createRequire } from 'node:module'
import { Piscina } from 'piscina'
import { DomainError } from '../errors.ts'
import type { AudioWindow, Sound } from './waveform.ts'

/** How long an idle worker is kept. */
const IDLE_MS = 60_000

export interface AudioPreparerOptions {
  /** Worker threads. Default 1. */
  threads?: number
  /** Sounds that may wait for a thread; the next is refused `overloaded`. Default 64. */
  maxQueue?: number
}

export class AudioPreparer {
  private readonly pool: Piscina<Sound, AudioWindow[]>
  private readonly maxPending: number
  /** Sounds taken in and not yet answered. piscina bounds its queue only for tasks without a signal. */
  private pending = 0

  constructor({ threads = 1, maxQueue = 64 }: AudioPreparerOptions = {}) {
    this.maxPending = threads + maxQueue
    this.pool = new Piscina({
      filename: createRequire(import.meta.url).resolve('#prepare-worker'),
      minThreads: 0,
      maxThreads: threads,
      idleTimeout: IDLE_MS,
      execArgv: [],
    })
  }

  /**
   * The windows of `prepareAudio`. The samples are moved to the worker: the arrays of `sound.channels` are empty afterwards.
   * @throws DomainError `overloaded`, `deadline-exceeded` (aborted)
   */
  async prepare(sound: Sound, signal?: AbortSignal): Promise<AudioWindow[]> {
    if (this.pending >= this.maxPending) {
      const message = 'Too many sounds wait to be prepared. Try again shortly.'
      throw new DomainError('overloaded', message, { retryAfterS: 1 })
    }
    const { sampleRateHz } = sound
    // Arrays that are views of something larger are copied first, since moving would take all of it.
    const channels = sound.channels.map((samples) =>
      samples.byteLength === samples.buffer.byteLength ? samples : samples.slice(),
    )
    this.pending++
    try {
      return await this.pool.run(
        { sampleRateHz, channels },
        { transferList: channels.map((samples) => samples.buffer as ArrayBuffer), signal: signal ?? null },
      )
    } catch (cause) {
      if (signal?.aborted) throw new DomainError('deadline-exceeded', 'Preparing the sound was called off.', { cause })
      if (cause instanceof Error && /terminat/i.test(cause.message)) {
        throw new DomainError('overloaded', 'The server is shutting down.', { cause, retryAfterS: 5 })
      }
      throw cause
    } finally {
      this.pending--
    }
  }

  async close(): Promise<void> {
    await this.pool.destroy()
  }
}
