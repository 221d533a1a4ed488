"""Audio-text pairs: spoken words and sound events, drawn in seeded batches of one length (padding is not neutral, §7).

A batch is (B, n) float32, already normalised per clip (§12). Many of the batches hold clips under a second, tiled to one second
as the server does; the others have a word or a sound somewhere in 1.25 to 2.4 seconds of near silence. Most sounds fill the whole
length, the longest batches hold nothing else. Held-out voices never enter here.
"""
from functools import partial

import numpy as np
from scipy.signal import butter, lfilter
import torch

from . import sound_synthesis, speech
from .batches import batches as draw_batches
from .mixtures import Events
from .sounds import SOUND_EVENTS
from .splits import load_splits

RATE = 16000
LENGTHS_S = (1.0, 1.25, 1.5, 1.8, 2.1, 2.4)
LENGTH_SHARES = (0.2, 0.25, 0.2, 0.15, 0.1, 0.1)
TILED_SHARE = 0.45  # of the batches
LONGEST_WORD_S = 1.5  # longer batches hold sound events alone
FULL_SHARE = 0.6  # of the sounds: long enough to leave no silence
SHARES = {"words": 0.45, "names": 0.02, "sounds": 0.53}  # add "mixtures" for "siren then bell" and "siren and bell"


def normalise(wave):
    """Whole-clip layer norm (§12): float (n,) -> zero mean, unit variance."""
    wave = wave - wave.mean()
    return wave / np.sqrt(wave.var() + 1e-5)


def server_clip(wave, max_seconds=15):
    """What the server makes of a mono 16 kHz clip in -1..1: normalise, crop, tile up to one second (§12)."""
    wave = normalise(wave)[: max_seconds * RATE]
    return np.tile(wave, -(-RATE // len(wave)))[:RATE] if len(wave) < RATE else wave


def colour_sound(wave, rng):
    """Another loudspeaker or room for a third: high-pass or low-pass, both gentle."""
    draw = rng.random()
    if draw < 0.33:
        cut, kind = (rng.uniform(40, 200), "high") if draw < 0.15 else (rng.uniform(3500, 7500), "low")
        wave = lfilter(*butter(1, cut, kind, fs=RATE), wave)
    return wave


def disturb(wave, rng, tempo=True):
    """Another tempo, another microphone and echo. The result is at most 8 % longer. Sound events keep their tempo and pitch,
    or they would reach the held-out parameter tails."""
    if tempo and rng.random() < 0.6:
        rate = rng.uniform(0.92, 1.1)
        wave = np.interp(np.arange(0, len(wave) - 1, rate), np.arange(len(wave)), wave)
    if rng.random() < 0.5:
        wave = wave - rng.uniform(-0.3, 0.6) * np.r_[0, wave[:-1]]
    if rng.random() < 0.1:
        delay = rng.integers(200, 2400)
        if delay < len(wave):
            wave = wave + rng.uniform(0.1, 0.4) * np.r_[np.zeros(delay), wave[:-delay]]
    return wave / (np.abs(wave).max() + 1e-6)


def add_noise(wave, rng):
    """Steady white or dark noise 20 to 60 dB under the peak."""
    noise = rng.standard_normal(len(wave))
    if rng.random() < 0.5:
        noise = np.convolve(noise, np.ones(8) / 3, mode="same")
    return wave + noise * 10 ** (-rng.uniform(20, 60) / 20) if rng.random() < 0.6 else wave


class Clips:
    """All training clips with their concepts; equal texts are one concept."""

    def __init__(self, shares=None):
        splits = load_splits()
        self.shares = shares or SHARES
        self.speech, spoken = speech.load("train")
        self.sounds, events = sound_synthesis.load("train")
        assert not {row[3] for row in spoken} & set(splits["held_out_voices"]), "a held-out voice is in the training speech"
        words = {w["word"] for w in splits["words"]}
        self.texts = []  # (text, concept) of every text that a clip may be paired with
        self.concepts, self.texts_of = {}, {}
        for name in [w["word"] for w in splits["words"]] + [n["name"] for n in splits["names"]]:
            self.add_text(name, name)
        for event in SOUND_EVENTS:
            for text in event["texts"]:
                self.add_text(text, event["name"])
        self.pools = {"words": [r for r in spoken if r[2] in words], "names": [r for r in spoken if r[2] not in words],
                      "sounds": events}
        self.mixtures = Events(clips=(self.sounds, events))
        for text in self.mixtures.texts() if self.shares.get("mixtures") else ():
            self.add_text(text, text)

    def add_text(self, text, name):
        concept = self.concepts.setdefault(name.lower(), len(self.concepts))
        rows = self.texts_of.setdefault(concept, [])
        if (text.lower(), concept) not in [self.texts[r] for r in rows]:
            rows.append(len(self.texts))
            self.texts.append((text.lower(), concept))

    def pick(self, rng, most_samples):
        """(float wave, text row) of a clip not longer than `most_samples`; a long sound event is cut."""
        kind = list(self.shares)[rng.choice(len(self.shares), p=list(self.shares.values()))]
        if most_samples > LONGEST_WORD_S * RATE and kind in ("words", "names") and "sounds" in self.shares:
            kind = "sounds"
        if kind == "mixtures":
            wave, text = self.mixtures.clip_with_text(int(most_samples * 0.95), rng)
            return disturb(colour_sound(wave, rng), rng, tempo=False), self.texts_of[self.concepts[text]][0]
        rows, source = self.pools[kind], self.sounds if kind == "sounds" else self.speech
        full = kind == "sounds" and rng.random() < FULL_SHARE
        for _ in range(50):
            row = rows[rng.integers(len(rows))]
            if row[1] >= most_samples if full else kind == "sounds" or row[1] * 1.1 < most_samples:
                break
        start, length = row[0], min(row[1], most_samples if kind == "sounds" else int(most_samples * 0.95))
        if kind == "sounds" and row[1] > length and rng.random() < 0.5:  # half of them from their beginning
            start += int(rng.integers(min(row[1] - length, RATE // 2) + 1))
        wave = source[start : start + length].astype(np.float64) / 32768
        options = self.texts_of[self.concepts[row[2].lower()]]
        if kind == "sounds":  # an event may be described in any of its ways
            return disturb(colour_sound(wave, rng), rng, tempo=False), options[rng.integers(len(options))]
        return disturb(wave, rng), options[0]  # a spoken word is its own name

    def draw(self, batch, rng):
        """waves float32 (B, n), text rows int64 (B,)."""
        tiled = rng.random() < TILED_SHARE
        samples = RATE if tiled else int(LENGTHS_S[rng.choice(len(LENGTHS_S), p=LENGTH_SHARES)] * RATE)
        waves, rows = np.zeros((batch, samples), np.float32), []
        for i in range(batch):
            wave, row = self.pick(rng, samples)
            wave = wave[:samples]
            room = samples - len(wave)
            if tiled:  # silence as recordings have it, mostly after the word
                before, after = int(rng.exponential(0.02) * RATE), int(rng.uniform(0, 0.45) * RATE)
                before = min(before, room)
                wave = np.r_[np.zeros(before), wave, np.zeros(min(after, room - before))]
                waves[i] = server_clip(add_noise(wave, rng))
            else:
                before = int(rng.integers(room + 1))
                waves[i] = normalise(add_noise(np.r_[np.zeros(before), wave, np.zeros(room - before)], rng))
            rows.append(row)
        return torch.from_numpy(waves), torch.tensor(rows)


def batches(clips, batch, seed, first_step, workers):
    """Endless iterator of batches from `first_step` on (seed: a list of numbers), drawn ahead in `workers` processes."""
    return draw_batches(partial(clips.draw, batch), seed, first_step, workers)
