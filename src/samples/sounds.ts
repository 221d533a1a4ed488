/** Synthetic sound events, 2 s each, in a few variants; what each is called stands in its key. */
import {
  between,
  type Chance,
  every,
  gain,
  mix,
  noise,
  normalise,
  scattered,
  seeded,
  sequence,
  shape,
  strike,
  tone,
  toWav,
} from './synthesis.ts'

export interface SampleSound {
  /** e.g. `rain-1` */
  id: string
  /** e.g. `rain` */
  name: string
  /** WAV, 16 kHz, mono, 16 bit */
  bytes: Buffer
}

const SECONDS = 2
const VARIANTS = 2

type Recipe = (chance: Chance) => Float32Array

const bellPartials = [1, 2.0, 2.4, 3.0, 4.5]

const RECIPES: Record<string, Recipe> = {
  siren: (c) => {
    const [low, high, rate] = [between(c, 500, 700), between(c, 1100, 1500), between(c, 0.4, 1.2)]
    return tone(SECONDS, (t) => low + ((high - low) * (1 - Math.cos(2 * Math.PI * rate * t))) / 2, [1, 0.4, 0.2])
  },
  bell: (c) => {
    const f = between(c, 400, 900)
    return mix(...bellPartials.map((p, i) => gain(shape(tone(SECONDS, f * p), strike(1.2 / (i + 1))), 1 / (i + 1))))
  },
  rain: (c) => mix(gain(noise(SECONDS, c, 7000, 1000), 0.5), drops(c, 150)),
  wind: (c) => {
    const [rate, phase] = [between(c, 0.3, 0.8), between(c, 0, 6)]
    return shape(
      noise(SECONDS, c, between(c, 300, 700), 60),
      (t) => 0.6 + 0.4 * Math.sin(2 * Math.PI * rate * t + phase),
    )
  },
  engine: (c) => {
    const f = between(c, 40, 90)
    return mix(tone(SECONDS, f, [1, 0.8, 0.6, 0.5, 0.4, 0.3]), gain(noise(SECONDS, c, 400), 0.6))
  },
  heartbeat: (c) => {
    const beats = every(between(c, 0.7, 1), SECONDS, c).flatMap((t) => [t, t + 0.25])
    return sequence(SECONDS, beats, (i) => gain(shape(tone(0.2, i % 2 ? 55 : 65), strike(0.06, 0.01)), i % 2 ? 0.7 : 1))
  },
  clock: (c) => {
    const f = between(c, 2000, 3500)
    return sequence(SECONDS, every(0.5, SECONDS, c), (i) =>
      shape(tone(0.05, i % 2 ? f : f * 0.8), strike(0.008, 0.0005)),
    )
  },
  alarm: (c) => {
    const [f, period] = [between(c, 1800, 2800), between(c, 0.2, 0.4)]
    return shape(tone(SECONDS, f, [1, 0, 0.3]), (t) => (t % period < period / 2 ? 1 : 0))
  },
  laser: (c) => {
    const [from, to] = [between(c, 2500, 4000), between(c, 200, 500)]
    return sequence(SECONDS, every(0.6, SECONDS, c), () =>
      shape(
        tone(0.35, (t) => from * (to / from) ** (t / 0.3), [1, 0.5, 0.3]),
        strike(0.15),
      ),
    )
  },
  whistle: (c) => {
    const f = between(c, 1200, 2000)
    return mix(
      tone(SECONDS, (t) => f * (1 + 0.15 * Math.sin(2 * Math.PI * 0.8 * t))),
      gain(noise(SECONDS, c, 4000, 1500), 0.05),
    )
  },
  drum: (c) => {
    const f = between(c, 80, 140)
    return sequence(SECONDS, every(between(c, 0.35, 0.6), SECONDS, c), () =>
      mix(
        shape(
          tone(0.3, (t) => f * (1 + Math.exp(-t / 0.03))),
          strike(0.12),
        ),
        gain(shape(noise(0.1, c, 3000), strike(0.02)), 0.5),
      ),
    )
  },
  footsteps: (c) =>
    sequence(SECONDS, every(between(c, 0.45, 0.65), SECONDS, c, 0.02), () =>
      mix(shape(noise(0.15, c, 900, 60), strike(0.03)), gain(shape(tone(0.1, 90), strike(0.03)), 0.6)),
    ),
  applause: (c) =>
    sequence(SECONDS, scattered(160, SECONDS, c), () =>
      gain(shape(noise(0.05, c, 4000, 700), strike(0.01, 0.001)), between(c, 0.3, 1)),
    ),
  piano: (c) =>
    notes(c, [262, 330, 392, 523], (f) => shape(tone(0.7, f, [1, 0.5, 0.3, 0.2, 0.1]), strike(0.35, 0.004))),
  violin: (c) =>
    notes(c, [440, 494, 587, 660], (f) =>
      shape(
        tone(0.7, (t) => f * (1 + 0.008 * Math.sin(2 * Math.PI * 5.5 * t)), [1, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2]),
        bowed(0.7),
      ),
    ),
  guitar: (c) => notes(c, [110, 147, 196, 247], (f) => pluck(f, 0.7, c)),
  flute: (c) =>
    notes(c, [523, 587, 659, 784], (f) =>
      mix(shape(tone(0.7, f, [1, 0.15, 0.05]), bowed(0.7)), gain(noise(0.7, c, 5000, 2000), 0.03)),
    ),
  trumpet: (c) =>
    notes(c, [294, 349, 440, 587], (f) => shape(tone(0.6, f, [0.6, 1, 0.9, 0.7, 0.5, 0.3, 0.2]), bowed(0.6))),
  bird: (c) =>
    sequence(SECONDS, scattered(7, SECONDS - 0.2, c), () => {
      const f = between(c, 2500, 4500)
      return shape(
        tone(0.12, (t) => f + between(c, 0.9, 1.1) * 4000 * t),
        (t) => Math.sin((Math.PI * t) / 0.12),
      )
    }),
  cricket: (c) => {
    const f = between(c, 4000, 5000)
    return sequence(SECONDS, every(0.35, SECONDS, c), () =>
      shape(tone(0.2, f), (t) => Math.max(0, Math.sin(2 * Math.PI * 30 * t))),
    )
  },
  glass: (c) =>
    sequence(SECONDS, [0.05, ...scattered(25, 0.8, c)], (i) =>
      gain(shape(tone(0.3, between(c, 2500, 7000)), strike(0.04, 0.0005)), i ? 0.4 : 1),
    ),
  bubbles: (c) =>
    sequence(SECONDS, scattered(22, SECONDS - 0.1, c), () => {
      const f = between(c, 300, 900)
      return shape(
        tone(0.1, (t) => f * (1 + 8 * t)),
        strike(0.03, 0.005),
      )
    }),
  static: (c) => noise(SECONDS, c, between(c, 5000, 7900)),
  'dial tone': () => mix(tone(SECONDS, 350), tone(SECONDS, 440)),
  thunder: (c) =>
    shape(noise(SECONDS, c, between(c, 120, 250)), (t) => strike(0.8, 0.03)(t) * (1 + 0.5 * Math.sin(17 * t))),
  ocean: (c) => {
    const rate = between(c, 0.4, 0.7)
    return shape(noise(SECONDS, c, 1800, 100), (t) => 0.15 + 0.85 * Math.sin(Math.PI * rate * t) ** 2)
  },
  fire: (c) =>
    mix(
      gain(noise(SECONDS, c, 500, 50), 0.5),
      sequence(SECONDS, scattered(60, SECONDS, c), () =>
        gain(shape(noise(0.02, c, 6000, 1000), strike(0.004, 0.0005)), between(c, 0.3, 1)),
      ),
    ),
  helicopter: (c) => {
    const rate = between(c, 11, 16)
    return shape(noise(SECONDS, c, 500), (t) => (0.5 + 0.5 * Math.cos(2 * Math.PI * rate * t)) ** 4)
  },
  'train horn': (c) => {
    const f = between(c, 280, 340)
    return shape(mix(...[1, 1.26, 1.5].map((p) => tone(1.6, f * p, [1, 0.6, 0.4, 0.3]))), bowed(1.6))
  },
  explosion: (c) =>
    mix(shape(noise(SECONDS, c, 700), strike(0.5, 0.005)), gain(shape(tone(SECONDS, 45), strike(0.4)), 0.8)),
  knock: (c) =>
    sequence(SECONDS, every(0.3, 1.2, c), () =>
      mix(shape(tone(0.15, between(c, 160, 200)), strike(0.04)), gain(shape(noise(0.05, c, 1500), strike(0.01)), 0.5)),
    ),
  bee: (c) => {
    const f = between(c, 180, 240)
    return tone(SECONDS, (t) => f * (1 + 0.03 * Math.sin(2 * Math.PI * 7 * t)), [1, 0.8, 0.6, 0.5, 0.4, 0.3])
  },
}

const bowed = (seconds: number) => (t: number) => Math.min(t / 0.08, 1, Math.max(0, (seconds - t) / 0.1))

function notes(chance: Chance, scale: readonly number[], play: (frequency: number) => Float32Array): Float32Array {
  const shift = between(chance, 0.9, 1.15)
  return sequence(SECONDS, every(0.45, SECONDS, chance), () =>
    play(shift * scale[Math.floor(chance() * scale.length)]!),
  )
}

/** Karplus and Strong's plucked string: noise going round a delay line that smooths it. */
function pluck(frequency: number, seconds: number, chance: Chance): Float32Array {
  const out = noise(seconds, chance)
  const period = Math.round(16_000 / frequency)
  for (let i = period + 1; i < out.length; i++) out[i] = 0.498 * (out[i - period]! + out[i - period - 1]!)
  return out
}

function drops(chance: Chance, count: number): Float32Array {
  return sequence(SECONDS, scattered(count, SECONDS, chance), () =>
    gain(shape(tone(0.02, between(chance, 2000, 5000)), strike(0.004, 0.0005)), between(chance, 0.1, 0.5)),
  )
}

/** All sample sounds, always the same. */
export function* sampleSounds(): Generator<SampleSound> {
  for (const [index, [name, recipe]] of Object.entries(RECIPES).entries()) {
    for (let variant = 1; variant <= VARIANTS; variant++) {
      const chance = seeded(1000 * index + variant)
      yield { id: `${name.replaceAll(' ', '-')}-${variant}`, name, bytes: toWav(normalise(recipe(chance))) }
    }
  }
}

export const SAMPLE_SOUND_COUNT = Object.keys(RECIPES).length * VARIANTS
