/**
 * Building blocks of synthetic sounds: every function gives a mono waveform of `seconds` at 16 kHz, roughly in -1..1.
 * Deterministic: chance comes from a seeded generator.
 */
export const SAMPLE_RATE_HZ = 16_000

/** Numbers in [0, 1) from a seed: mulberry32, enough for noise that only has to sound like noise. */
export type Chance = () => number

export function seeded(seed: number): Chance {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

export const between = (chance: Chance, low: number, high: number): number => low + (high - low) * chance()

/** Samples of `sample(t)` with t in seconds. */
export function render(seconds: number, sample: (t: number) => number): Float32Array {
  const length = Math.round(seconds * SAMPLE_RATE_HZ)
  return Float32Array.from({ length }, (_, i) => sample(i / SAMPLE_RATE_HZ))
}

/** A tone whose frequency in Hz may change with time; `harmonics` are the amplitudes of its multiples. */
export function tone(
  seconds: number,
  frequency: number | ((t: number) => number),
  harmonics: readonly number[] = [1],
): Float32Array {
  let phase = 0
  return render(seconds, (t) => {
    phase += (2 * Math.PI * (typeof frequency === 'number' ? frequency : frequency(t))) / SAMPLE_RATE_HZ
    return harmonics.reduce((sum, amplitude, index) => sum + amplitude * Math.sin((index + 1) * phase), 0)
  })
}

/** White noise through one-pole low-pass and high-pass filters at the given corner frequencies in Hz. */
export function noise(seconds: number, chance: Chance, lowPass = 8000, highPass = 0): Float32Array {
  const low = 1 - Math.exp((-2 * Math.PI * lowPass) / SAMPLE_RATE_HZ)
  const high = 1 - Math.exp((-2 * Math.PI * highPass) / SAMPLE_RATE_HZ)
  let [smooth, drift] = [0, 0]
  return render(seconds, () => {
    smooth += low * (2 * chance() - 1 - smooth)
    drift += high * (smooth - drift)
    return smooth - drift
  })
}

/** Loudness over time. */
export function shape(wave: Float32Array, envelope: (t: number) => number): Float32Array {
  return wave.map((value, i) => value * envelope(i / SAMPLE_RATE_HZ))
}

/** Sharp start, exponential decay with time constant `tau` seconds. */
export const strike =
  (tau: number, attack = 0.002) =>
  (t: number): number =>
    Math.min(t / attack, 1) * Math.exp(-t / tau)

export function mix(...waves: Float32Array[]): Float32Array {
  const out = new Float32Array(Math.max(...waves.map((wave) => wave.length)))
  for (const wave of waves) for (let i = 0; i < wave.length; i++) out[i]! += wave[i]!
  return out
}

export const gain = (wave: Float32Array, factor: number): Float32Array => wave.map((value) => value * factor)

/** `sound()` starting at each of `times`, in a clip of `seconds`. */
export function sequence(
  seconds: number,
  times: readonly number[],
  sound: (index: number) => Float32Array,
): Float32Array {
  const out = new Float32Array(Math.round(seconds * SAMPLE_RATE_HZ))
  for (const [index, time] of times.entries()) {
    const [wave, start] = [sound(index), Math.round(time * SAMPLE_RATE_HZ)]
    for (let i = 0; i < wave.length && start + i < out.length; i++) out[start + i]! += wave[i]!
  }
  return out
}

/** Times from 0 with the given period in seconds, each moved by at most `jitter`. */
export function every(period: number, seconds: number, chance: Chance, jitter = 0): number[] {
  const count = Math.floor(seconds / period)
  return Array.from({ length: count }, (_, i) => Math.max(0, i * period + between(chance, -jitter, jitter)))
}

/** `count` times at random in `seconds`. */
export function scattered(count: number, seconds: number, chance: Chance): number[] {
  return Array.from({ length: count }, () => chance() * seconds).sort((a, b) => a - b)
}

/** Peak brought to 0.8. */
export function normalise(wave: Float32Array): Float32Array {
  const peak = wave.reduce((max, value) => Math.max(max, Math.abs(value)), 0)
  return gain(wave, peak > 0 ? 0.8 / peak : 0)
}

/** 16-bit mono PCM in a RIFF WAVE file. */
export function toWav(wave: Float32Array): Buffer {
  const bytes = Buffer.alloc(44 + 2 * wave.length)
  bytes.write('RIFF', 0, 'latin1')
  bytes.writeUInt32LE(36 + 2 * wave.length, 4)
  bytes.write('WAVEfmt ', 8, 'latin1')
  bytes.writeUInt32LE(16, 16)
  bytes.writeUInt16LE(1, 20) // PCM
  bytes.writeUInt16LE(1, 22) // channels
  bytes.writeUInt32LE(SAMPLE_RATE_HZ, 24)
  bytes.writeUInt32LE(2 * SAMPLE_RATE_HZ, 28)
  bytes.writeUInt16LE(2, 32)
  bytes.writeUInt16LE(16, 34)
  bytes.write('data', 36, 'latin1')
  bytes.writeUInt32LE(2 * wave.length, 40)
  for (const [i, value] of wave.entries()) {
    bytes.writeInt16LE(Math.round(Math.min(Math.max(value, -1), 1) * 32767), 44 + 2 * i)
  }
  return bytes
}
