/** `prepareAudio` in a worker thread: resampling half an hour takes seconds, which must not stop the HTTP loop. */
import type { AudioWindow, Sound } from './waveform.ts'

export interface AudioPreparerOptions {
  /** Worker threads. Default 1. */
  threads?: number
  /** Sounds that may wait for a thread; the next is refused `overloaded`. Default 64. */
  maxQueue?: number
}

export class AudioPreparer {
  readonly options: AudioPreparerOptions

  constructor(options: AudioPreparerOptions = {}) {
    this.options = options
  }

  /**
   * The windows of `prepareAudio`. The samples are moved to the worker: `sound.channels` is empty of data afterwards.
   * @throws DomainError `overloaded`, `deadline-exceeded` (aborted)
   */
  prepare(_sound: Sound, _signal?: AbortSignal): Promise<AudioWindow[]> {
    return Promise.reject(new Error('not written yet'))
  }

  async close(): Promise<void> {}
}
