"""Sequences and mixtures of sound events, for sound questions and, where asked for, for stage 2.

Held out, never played in training: a fifth of the ordered pairs (bell, then, siren) and of the unordered (bell, and, siren).
"""
import numpy as np

from . import sound_synthesis
from .objects import is_held_out
from .sound_tools import RATE
from .sounds import SOUND_EVENTS

EVENTS = tuple(e["name"] for e in SOUND_EVENTS)
FADE_SAMPLES = 160  # 10 ms


def order_is_held_out(first, second):
    return is_held_out(first, "then", second)


def blend_is_held_out(one, other):
    return is_held_out(min(one, other), "and", max(one, other))


class Events:
    """The sound events of a set, "train" or "held_out", and what may be made of them. clips: (samples, index) in its place."""

    def __init__(self, name="train", clips=None):
        self.held_out = name == "held_out"
        self.samples, index = clips or sound_synthesis.load(name)
        self.rows = {event: [] for event in EVENTS}
        for offset, length, event in index:
            self.rows[event].append((offset, length))

    def piece(self, event, samples, rng):
        """float (samples,): a part of a clip of the event from near its start, repeated where too short; RMS 1, soft ends."""
        offset, length = self.rows[event][rng.integers(len(self.rows[event]))]
        start = int(rng.integers(min(max(length - samples, 0), RATE // 4) + 1))
        wave = np.resize(self.samples[offset + start : offset + length].astype(np.float64), samples)
        fade = np.minimum(1, np.arange(samples) / FADE_SAMPLES)
        return wave / (np.sqrt((wave**2).mean()) + 1e-9) * fade * fade[::-1]

    def order(self, count, rng):
        """Different events for a sequence: in training no neighbours are a held-out pair; else the first two are one."""
        while True:
            chosen = [EVENTS[i] for i in rng.choice(len(EVENTS), size=count, replace=False)]
            neighbours = [order_is_held_out(a, b) for a, b in zip(chosen, chosen[1:])]
            if neighbours[0] if self.held_out else not any(neighbours):
                return chosen

    def blend(self, rng):
        """Two events that may sound together in this set."""
        while True:
            one, other = (EVENTS[i] for i in rng.choice(len(EVENTS), size=2, replace=False))
            if blend_is_held_out(one, other) == self.held_out:
                return one, other

    def sequence(self, events, samples, rng):
        """float (samples,): the events one after the other, each as long."""
        edges = np.linspace(0, samples, len(events) + 1).astype(int)
        return np.concatenate([self.piece(e, int(b - a), rng) for e, a, b in zip(events, edges, edges[1:])])

    def mixture(self, events, gains_db, samples, rng):
        """float (samples,): the events at once."""
        return sum(self.piece(e, samples, rng) * 10 ** (g / 20) for e, g in zip(events, gains_db))

    def clip_with_text(self, samples, rng):
        """(wave, "siren then bell" or "siren and bell"), each for half."""
        if rng.random() < 0.5:
            first, second = self.order(2, rng)
            return self.sequence((first, second), samples, rng), f"{first} then {second}"
        one, other = self.blend(rng)
        return self.mixture((one, other), (0, rng.uniform(-6, 6)), samples, rng), mixture_text(one, other)

    def texts(self):
        """Every text that `clip_with_text` may say."""
        pairs = [(a, b) for a in EVENTS for b in EVENTS if a != b]
        return [f"{a} then {b}" for a, b in pairs if order_is_held_out(a, b) == self.held_out] + [
            mixture_text(a, b) for a, b in pairs if a < b and blend_is_held_out(a, b) == self.held_out]


def mixture_text(one, other):
    """One wording for both orders."""
    return f"{min(one, other)} and {max(one, other)}"
