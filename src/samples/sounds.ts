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
  /** WAV, 16 kHz, mono, 16 bit; always the same. Made when asked for: most starts find every sample in place. */
  render: () => Buffer
}

const SECONDS = 2
const VARIANTS = 2

type Recipe = (chance: Chance) => Float32Array

const BELL_PARTIALS = [0.5, 1, 1.19, 1.5, 2, 2.74, 3.76]

/** Fifteen harmonics of the firing rate over a rumble. */
function motor(chance: Chance): Float32Array {
  const f = between(chance, 30, 80)
  const harmonics = Array.from({ length: 15 }, (_, i) => (i + 1) ** -0.7)
  return mix(tone(SECONDS, f, harmonics), gain(noise(SECONDS, chance, 500), 1.5))
}

const RECIPES: Record<string, Recipe> = {
  siren: (c) => {
    const [centre, reach, rate] = [between(c, 700, 950), between(c, 200, 300), between(c, 0.5, 2)]
    return tone(SECONDS, (t) => centre + reach * Math.sin(2 * Math.PI * rate * t)).map((x) => x + 0.3 * x ** 3)
  },
  bell: (c) => {
    const [f, decay] = [between(c, 450, 1000), between(c, 2, 3.5)]
    return sequence(SECONDS, every(between(c, 0.7, 1.2), SECONDS, c), () =>
      mix(...BELL_PARTIALS.map((p) => shape(tone(1.5, f * p), strike(1 / (decay * (0.6 + p / 3)))))),
    )
  },
  rain: (c) => mix(gain(noise(SECONDS, c, 7000, 1000), 0.5), drops(c, 150)),
  wind: (c) => {
    const [rate, phase] = [between(c, 0.3, 0.8), between(c, 0, 6)]
    return shape(
      noise(SECONDS, c, between(c, 300, 700), 60),
      (t) => 0.6 + 0.4 * Math.sin(2 * Math.PI * rate * t + phase),
    )
  },
  engine: motor,
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
    sequence(SECONDS, scattered(Math.round(between(c, 150, 300)), SECONDS, c), () =>
      gain(shape(noise(0.03, c, 3500, 1000), strike(1 / 150, 0.0005)), between(c, 0.3, 1)),
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
  glass: (c) => {
    const shards = Array.from({ length: 35 }, () => 0.05 + 0.3 * c() * c())
    const splinter = () =>
      gain(shape(tone(0.3, between(c, 2500, 6000)), strike(1 / between(c, 20, 45), 0.0005)), between(c, 0.2, 1))
    return mix(
      sequence(SECONDS, shards, splinter),
      sequence(SECONDS, [0.05], () => shape(noise(0.2, c, 7500, 1500), strike(1 / 30, 0.0005))),
    )
  },
  bubbles: (c) =>
    sequence(SECONDS, scattered(22, SECONDS - 0.1, c), () => {
      const f = between(c, 300, 900)
      return shape(
        tone(0.1, (t) => f * (1 + 8 * t)),
        strike(0.03, 0.005),
      )
    }),
  static: (c) =>
    mix(
      noise(SECONDS, c, between(c, 5000, 7000), 200),
      sequence(SECONDS, scattered(50, SECONDS, c), () =>
        gain(shape(noise(0.005, c, 7500, 500), strike(1 / 600, 0.0003)), 4),
      ),
    ),
  'dial tone': (c) => {
    const detune = between(c, 0.97, 1.03)
    return mix(tone(SECONDS, 350 * detune), tone(SECONDS, 440 * detune))
  },
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
    const rate = between(c, 10, 16)
    const chop = shape(noise(SECONDS, c, 600), (t) => 9 * Math.max(0, Math.sin(2 * Math.PI * rate * t)) ** 4)
    return mix(chop, gain(motor(c), 0.3))
  },
  'train horn': (c) => {
    const f = between(c, 280, 340)
    return shape(mix(...[1, 1.26, 1.5].map((p) => tone(1.6, f * p, [1, 0.6, 0.4, 0.3]))), bowed(1.6))
  },
  explosion: (c) => {
    const decay = between(c, 2.5, 4)
    const blast = mix(
      gain(noise(SECONDS, c, between(c, 250, 600)), 7),
      gain(shape(noise(SECONDS, c), strike(0.05)), 0.5),
    )
    return shape(blast, (t) => Math.exp(-decay * t))
  },
  knock: (c) =>
    sequence(SECONDS, every(0.3, 1.2, c), () =>
      mix(shape(tone(0.15, between(c, 160, 200)), strike(0.04)), gain(shape(noise(0.05, c, 1500), strike(0.01)), 0.5)),
    ),
  bee: (c) => {
    const [f, sway] = [between(c, 180, 260), between(c, 0.8, 2.5)]
    const harmonics = Array.from({ length: 20 }, (_, i) => 1 / (i + 1)) // a sawtooth
    const buzz = tone(SECONDS, (t) => f * (1 + 0.04 * Math.sin(2 * Math.PI * sway * t)), harmonics)
    return mix(
      shape(buzz, (t) => 1 + 0.4 * Math.sin(2 * Math.PI * 1.2 * t)),
      gain(noise(SECONDS, c), 0.1),
    )
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

/** All sample sounds. */
export function* sampleSounds(): Generator<SampleSound> {
  for (const [index, [name, recipe]] of Object.entries(RECIPES).entries()) {
    for (let variant = 1; variant <= VARIANTS; variant++) {
      const render = () => toWav(normalise(recipe(seeded(1000 * index + variant))))
      yield { id: `${name.replaceAll(' ', '-')}-${variant}`, name, render }
    }
  }
}

export const SAMPLE_SOUND_COUNT = Object.keys(RECIPES).length * VARIANTS
