/**
 * Sound → the waveforms the encoder takes (spec §12): mean of the channels, 16 kHz, the whole clip normalised to zero mean
 * and unit variance, and only then cut into windows of at most 15 s.
 */
import { resampleTo16k, TARGET_RATE_HZ } from './resample.ts'

/** Shorter clips are tiled to 1 s (spec §12). */
export const MIN_SAMPLES = 16_000
/** 15 s, the longest window the encoder takes. */
export const MAX_SAMPLES = 240_000
/** Windows overlap by half, so that a sound on a seam lies whole in one of them. */
const HOP_SAMPLES = MAX_SAMPLES / 2
/** Added to the variance (torch `layer_norm`, spec §12). */
const EPSILON = 1e-5

/** Mono or multi-channel samples at their own rate; the channels have equal length, at least 1. */
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
export function prepareAudio(sound: Sound): AudioWindow[] {
  const clip = normalise(toMono16k(sound))
  const length = Math.min(clip.length, MAX_SAMPLES)
  return windowStarts(clip.length).map((start) => ({
    waveform: tile(clip.slice(start, start + length)),
    startMs: toMs(start),
    endMs: toMs(start + length),
  }))
}

/** What the hub code feeds to the model: only the first 15 s of the normalised clip. */
export function referenceWaveform(sound: Sound): Float32Array {
  return tile(normalise(toMono16k(sound)).slice(0, MAX_SAMPLES))
}

/** Mean of the channels at 16 kHz, what `librosa.load(sr=16000)` gives. */
export function toMono16k({ sampleRateHz, channels }: Sound): Float32Array {
  const [first] = channels
  if (!first?.length) throw new RangeError('A sound needs at least one channel with at least one sample.')
  return resampleTo16k(channels.length === 1 ? first : mean(channels), sampleRateHz)
}

function mean(channels: readonly Float32Array[]): Float32Array {
  const sums = new Float32Array(channels[0]!)
  for (const channel of channels.slice(1)) for (let i = 0; i < sums.length; i++) sums[i]! += channel[i]!
  return sums.map((sum) => sum / channels.length)
}

/** (x - mean) / sqrt(biased variance + 1e-5), in place, with float64 sums. */
function normalise(clip: Float32Array): Float32Array {
  let sum = 0
  for (const x of clip) sum += x
  const centre = sum / clip.length
  let squares = 0
  for (const x of clip) squares += (x - centre) ** 2
  const scale = 1 / Math.sqrt(squares / clip.length + EPSILON)
  for (let i = 0; i < clip.length; i++) clip[i] = (clip[i]! - centre) * scale
  return clip
}

function tile(clip: Float32Array): Float32Array {
  if (clip.length >= MIN_SAMPLES) return clip
  return Float32Array.from({ length: MIN_SAMPLES }, (_, i) => clip[i % clip.length]!)
}

/** First samples of the windows of a clip. */
function windowStarts(length: number): number[] {
  const starts: number[] = []
  for (let start = 0; start + MAX_SAMPLES < length; start += HOP_SAMPLES) starts.push(start)
  return [...starts, Math.max(0, length - MAX_SAMPLES)]
}

const toMs = (samples: number): number => Math.round((samples * 1000) / TARGET_RATE_HZ)
