"""Waveforms of the sound events from physical parameters: numpy only, mono, 16 kHz, float in -1..1.

    python -m training.material.sound_synthesis

sounds/train.npy, held_out.npy: int16 clips end to end; *.json: [offset, samples, event].
Training draws every parameter from the middle 80 % of its range, the held-out set from the two 10 % tails.
"""
import json
import zlib
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np

from . import sound_recipes
from .paths import material_dir
from .sound_tools import (
    RATE, Parameters, band, burst, lowpass, noise, place, pluck, random_starts, rhythm, sweep, times, tone)
from .sounds import SOUND_EVENTS

CLIPS = {"train": 600, "held_out": 10}  # of each event


def siren(p, s):
    t, rate = times(s), p(0.3, 2.5)
    wave = np.sin(2 * np.pi * rate * t) if p.rng.random() < 0.6 else np.sign(np.sin(2 * np.pi * rate * t))
    x = sweep(p(650, 1000) + p(150, 350) * wave)
    return x + 0.3 * x**3


def bell(p, s):
    f, ratios = p(300, 1200), (0.5, 1, 1.19, 1.5, 2, 2.74, 3.76)
    ring = lambda: sum(np.sin(2 * np.pi * f * r * times(1.5)) * np.exp(-p(1.5, 4) * (0.6 + r / 3) * times(1.5)) for r in ratios)
    return place(s, rhythm(p, s, p(0.5, 1.5)), ring)


def rain(p, s):
    drops = place(s, random_starts(p, s, p(60, 250)), lambda: 2 * burst(p, 0.01, 500, 2000, 7000))
    return band(noise(p, s), p(600, 1500), 7800) * p(0.3, 0.8) + drops


def wind(p, s):
    gust = 1 + 0.7 * np.sin(2 * np.pi * p(0.15, 0.7) * times(s) + p(0, 6))
    return band(noise(p, s), p(80, 200), p(400, 900)) * gust**2


def engine(p, s):
    f = p(25, 90) * (1 + p(0, 0.15) * np.sin(2 * np.pi * p(0.2, 1) * times(s)))
    phase = np.cumsum(f) / RATE
    return sum(np.sin(2 * np.pi * k * phase + k * k) / k**0.7 for k in range(1, 16)) + lowpass(noise(p, s), 500) * p(0.3, 1)


def heartbeat(p, s):
    thud = lambda f: np.sin(2 * np.pi * f * times(0.15)) * np.exp(-25 * times(0.15))
    f, every = p(45, 75), p(0.6, 1.1)
    starts = list(np.arange(0.02, s, every))
    return place(s, starts, lambda: thud(f)) + 0.7 * place(s, [b + 0.28 * every for b in starts], lambda: thud(f * 1.2))


def clock(p, s):
    f = p(1500, 4000)
    tick = lambda: burst(p, 0.03, 250, f * 0.7, f * 1.3)
    return place(s, np.arange(0.05, s, p(0.4, 1.0)), tick)


def alarm(p, s):
    f, beep = p(1500, 3200), p(0.05, 0.12)
    group = np.concatenate([np.append(np.sign(np.sin(2 * np.pi * f * times(beep))), np.zeros(int(beep * 0.8 * RATE)))
                            for _ in range(p.count(2, 4))])
    return place(s, np.arange(0, s, len(group) / RATE + p(0.15, 0.5)), lambda: group)


def laser(p, s):
    length, high, low = p(0.12, 0.4), p(2500, 6000), p(150, 500)
    shot = lambda: sweep(low + (high - low) * np.exp(-6 * times(length) / length)) * np.exp(-3 * times(length) / length)
    return place(s, rhythm(p, s, length + p(0.05, 0.4)), shot)


def whistle(p, s):
    t = times(s)
    f = p(900, 2200) + p(50, 400) * np.sin(2 * np.pi * p(0.4, 2) * t) + p(5, 30) * np.sin(2 * np.pi * p(4, 7) * t)
    return sweep(f) + 0.1 * band(noise(p, s), 1000, 4000)


def drum(p, s):
    f = p(60, 180)
    hit = lambda: sweep(f * (1 + np.exp(-30 * times(0.3)))) * np.exp(-p(8, 16) * times(0.3)) + 0.3 * burst(p, 0.3, 30, 200, 3000)
    return place(s, rhythm(p, s, p(0.2, 0.6), 0.02), hit)


def footsteps(p, s):
    step = lambda: burst(p, 0.12, p(25, 50), 100, p(600, 1500)) + 0.5 * np.roll(burst(p, 0.12, 60, 800, 4000), 600)
    return place(s, rhythm(p, s, p(0.4, 0.8), 0.03), step)


def applause(p, s):
    return place(s, random_starts(p, s, p(40, 200)), lambda: p(0.3, 1) * burst(p, 0.03, 150, p(700, 1500), p(2500, 5000)))


NOTE = 2 ** (1 / 12)


def melody(p, s, low, high, every, note):
    base, scale = p(low, high), (0, 2, 4, 5, 7, 9, 11, 12)
    return place(s, np.arange(0, s, every), lambda: note(base * NOTE ** scale[p.rng.integers(8)]))


def piano(p, s):
    return melody(p, s, 180, 500, p(0.2, 0.5), lambda f: tone(f, 1.0, (1, 0.5, 0.3, 0.15, 0.1, 0.05), p(3, 6)))


def bowed(f, seconds, p):
    t = times(seconds)
    phase = 2 * np.pi * np.cumsum(f * (1 + 0.006 * np.sin(2 * np.pi * p(4.5, 6.5) * t))) / RATE
    fade = np.minimum(1, t / 0.1) * np.minimum(1, (seconds - t) / 0.1)
    return sum(np.sin(k * phase) / k for k in range(1, 14) if f * k < 7500) * fade


def violin(p, s):
    return melody(p, s, 250, 600, p(0.5, 1), lambda f: bowed(f, 0.8, p))


def guitar(p, s):
    return melody(p, s, 100, 260, p(0.2, 0.5), lambda f: pluck(p, f, 1.0))


def flute(p, s):
    breath = 0.08 * band(noise(p, 0.6), 500, 4000)
    note = lambda f: (tone(f, 0.6, (1, 0.25, 0.08)) + breath) * np.hanning(int(0.6 * RATE)) ** 0.3
    return melody(p, s, 450, 900, p(0.4, 0.7), note)


def trumpet(p, s):
    brass = lambda f: tone(f, 0.5, (0.6, 0.9, 1, 0.9, 0.7, 0.5, 0.4, 0.3, 0.2)) * np.hanning(int(0.5 * RATE)) ** 0.25
    return melody(p, s, 220, 460, p(0.3, 0.6), brass)


def bird(p, s):
    def chirp():
        n = p(0.05, 0.16)
        f = p(2500, 5000) + p(-1500, 1500) * times(n) / n + p(100, 500) * np.sin(2 * np.pi * p(15, 40) * times(n))
        return sweep(f) * np.hanning(len(f))
    return place(s, random_starts(p, s, p(3, 8)), chirp)


def cricket(p, s):
    f, pulses = p(3800, 5500), p(25, 45)
    t = times(s)
    trill = np.maximum(0, np.sin(2 * np.pi * pulses * t)) * (np.sin(2 * np.pi * p(1.2, 3) * t) > p(-0.4, 0.4))
    return np.sin(2 * np.pi * f * t) * trill


def glass(p, s):
    shard = lambda: p(0.2, 1) * tone(p(2000, 6500), 0.3, (1,), p(15, 50))
    cluster = np.abs(p.rng.normal(0, 0.15, p.count(15, 50))) + 0.05
    return place(s, cluster, shard) + place(s, [0.05], lambda: burst(p, 0.2, 30, 1500, 7500))


def bubbles(p, s):
    def blob():
        n = p(0.03, 0.1)
        return sweep(p(300, 1200) * (1 + p(0.5, 2) * times(n) / n)) * np.exp(-p(20, 50) * times(n))
    return place(s, random_starts(p, s, p(8, 25)), blob)


def static(p, s):
    crackle = place(s, random_starts(p, s, p(10, 40)), lambda: 4 * burst(p, 0.005, 600, 500, 7500))
    return band(noise(p, s), 200, p(4000, 7800)) + crackle


def dial_tone(p, s):
    detune = p(0.97, 1.03)
    return np.sin(2 * np.pi * 350 * detune * times(s)) + np.sin(2 * np.pi * 440 * detune * times(s)) + 0.01 * noise(p, s)


def thunder(p, s):
    rumble = lowpass(noise(p, s), p(80, 250)) * 6
    rolls = place(s, random_starts(p, s, 3), lambda: 5 * burst(p, 0.8, p(3, 8), 40, p(200, 500)))
    return (rumble + rolls) * np.exp(-p(0.3, 1.2) * times(s))


def ocean(p, s):
    swell = (0.55 + 0.45 * np.sin(2 * np.pi * p(0.25, 0.6) * times(s) + p(0, 6))) ** 2
    return band(noise(p, s), p(150, 400), p(2000, 4500)) * swell


def fire(p, s):
    crackles = place(s, random_starts(p, s, p(15, 50)), lambda: p(0.5, 4) * burst(p, 0.01, 400, 1000, 7000))
    return crackles + lowpass(noise(p, s), p(200, 500)) * p(0.3, 1)


def helicopter(p, s):
    rate = p(9, 18)
    chop = np.maximum(0, np.sin(2 * np.pi * rate * times(s))) ** 4
    return lowpass(noise(p, s), p(400, 1000)) * chop * 3 + 0.3 * engine(p, s)


def train_horn(p, s):
    base = p(220, 340)
    return sum(tone(base * r, s, (1, 0.8, 0.6, 0.4, 0.3, 0.2)) for r in (1, 1.19, 1.5)) + 0.1 * noise(p, s)


def explosion(p, s):
    blast = lowpass(noise(p, s), p(200, 700)) * 5 + 0.5 * noise(p, s) * np.exp(-20 * times(s))
    return blast * np.exp(-p(2, 5) * times(s))


def keyboard(p, s):
    return place(s, rhythm(p, s, p(0.08, 0.2), 0.3), lambda: p(0.5, 1) * burst(p, 0.04, p(90, 180), p(900, 2000), 6000))


def knock(p, s):
    f, hits, gap = p(120, 350), p.count(2, 5), p(0.15, 0.3)
    hit = lambda: np.sin(2 * np.pi * f * times(0.1)) * np.exp(-50 * times(0.1)) + burst(p, 0.1, 120, 200, 2500)
    return place(s, [0.05 + i * gap for i in range(hits)], hit)


def frog(p, s):
    f, rate = p(350, 900), p(25, 60)
    croak = lambda: np.maximum(0, np.sin(2 * np.pi * rate * times(0.25))) * tone(f, 0.25, (1, 0.6, 0.3)) * np.hanning(4000)
    return place(s, rhythm(p, s, p(0.35, 0.8)), croak)


def bee(p, s):
    t = times(s)
    phase = np.cumsum(p(160, 280) * (1 + 0.04 * np.sin(2 * np.pi * p(0.5, 3) * t))) / RATE
    return (2 * (phase % 1) - 1) * (1 + 0.4 * np.sin(2 * np.pi * p(0.7, 2) * t)) + 0.1 * noise(p, s)


def saw(p, s):
    stroke = np.abs(np.sin(np.pi * p(0.8, 2.2) * times(s))) ** 0.7
    teeth = 0.6 + 0.4 * np.sign(np.sin(2 * np.pi * p(50, 120) * times(s)))
    return band(noise(p, s), p(800, 1600), p(3500, 7000)) * stroke * teeth


def synthesise(event, index, held_out):
    """int16 clip of one event; (event, index, held_out) is its seed. Two of three training clips have extreme parameters."""
    rng = np.random.default_rng([zlib.crc32(event.encode()), index, int(held_out)])
    p = Parameters(rng, held_out, edges=not held_out and index % 3 > 0)
    name = event.replace(" ", "_")
    x = (globals().get(name) or getattr(sound_recipes, name))(p, p(1.0, 2.5)) + 0.003 * rng.standard_normal()
    return np.int16(x / (np.abs(x).max() + 1e-9) * 28000)


def _clip(held_out, job):
    return synthesise(*job, held_out)


def load(name):
    folder = material_dir() / "sounds"
    return np.load(folder / f"{name}.npy", mmap_mode="r"), json.loads((folder / f"{name}.json").read_text())


def main():
    folder = material_dir() / "sounds"
    folder.mkdir(parents=True, exist_ok=True)
    for name, clips in CLIPS.items():
        index, waves, offset = [], [], 0
        jobs = [(event["name"], i) for event in SOUND_EVENTS for i in range(clips)]
        with ProcessPoolExecutor(2) as pool:
            for (event, _), wave in zip(jobs, pool.map(partial(_clip, name == "held_out"), jobs, chunksize=50)):
                index.append([offset, len(wave), event])
                waves.append(wave)
                offset += len(wave)
        np.save(folder / f"{name}.new.npy", np.concatenate(waves))
        (folder / f"{name}.new.npy").replace(folder / f"{name}.npy")  # whoever still reads the old clips keeps them
        (folder / f"{name}.json").write_text(json.dumps(index))
        print(f"{name}: {len(index)} clips, {offset / RATE / 60:.0f} minutes")


if __name__ == "__main__":
    main()
