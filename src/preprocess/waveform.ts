/**
 * Sound → the waveforms the encoder takes (spec §12): mean of the channels, 16 kHz, the whole clip normalised to zero mean
 * and unit variance, and only then cut into windows of at most 15 s.
 */

/** Mono or multi-channel samples at their own rate; the channels have equal length. */
export interface Sound {
  sampleRateHz: number
  channels: readonly Float32Array[]
}

/** One input of the encoder: 16,000 to 240,000 samples at 16 kHz, and where in the clip it lies. */
export interface AudioWindow {
  waveform: Float32Array
  startMs: number
  endMs: number
}

/** One window for a clip up to 15 s, else windows of 15 s every 7.5 s, the last one flush with the end of the clip. */
export function prepareAudio(_sound: Sound): AudioWindow[] {
  throw new Error('not written yet')
}

/** What the hub code feeds to the model: only the first 15 s of the normalised clip. */
export function referenceWaveform(_sound: Sound): Float32Array {
  throw new Error('not written yet')
}
