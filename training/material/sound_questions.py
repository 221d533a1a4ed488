"""Questions about sounds with four candidate answers, after AVQA: events in sequence and mixture, spoken words, counted hits.

The right candidate and the others are drawn alike, so that whoever does not listen gets one in four right. Voices, parameters and
orders follow the split: training never plays a held-out voice, parameter tail or neighbouring pair of events.
"""
from typing import NamedTuple

import numpy as np
import torch

from . import speech
from .clips import RATE, add_noise, colour_sound, disturb, normalise
from .mixtures import EVENTS, Events, order_is_held_out
from .phrases import pick
from .sound_tools import Parameters, burst, place, times, tone
from .splits import load_splits

CHANCE = 1 / 4
NUMBERS = ("one", "two", "three", "four", "five", "six")
LENGTHS_S = (2, 3)  # of a whole batch; a sequence has an event each second
HITS = {
    "beeps": lambda p: tone(p(500, 2500), 0.1, (1, 0.2)) * np.hanning(1600) ** 0.2,
    "knocks": lambda p: np.sin(2 * np.pi * p(120, 350) * times(0.1)) * np.exp(-50 * times(0.1)) + burst(p, 0.1, 120, 200, 2500),
    "claps": lambda p: burst(p, 0.08, p(60, 110), p(700, 1500), p(2500, 5000)),
}


class SoundQuestion(NamedTuple):
    """wave: float (n,), any level, 16 kHz; candidates: four; right: index of the right one; words: events played in order;
    heard: (what, first sample, end) of each event, word or hit, the loudest first where they overlap."""

    wave: np.ndarray
    text: str
    candidates: tuple
    right: int
    kind: str
    words: tuple = ()
    heard: tuple = ()


def candidates_of(answer, others, rng):
    """(four candidates in random order, index of the answer)."""
    four = [answer, *others]
    order = rng.permutation(4)
    return tuple(four[i] for i in order), int(np.flatnonzero(order == 0)[0])


def load_words(held_out):
    """({word: [(offset, samples)]}, int16 samples): the spoken words of one set; held out: at the benchmark's plain setting."""
    splits = load_splits()
    samples, index = speech.load("held_out" if held_out else "train")
    plain = splits["held_out_speed_pitch"]["benchmark"]
    words = {w["word"]: [] for w in splits["words"]}
    for offset, length, text, voice, speed, pitch in index:
        assert held_out or voice not in splits["held_out_voices"], "a held-out voice is in the training speech"
        if text in words and (not held_out or (speed, pitch) == (plain["speed_wpm"], plain["pitch"])):
            words[text].append((offset, length))
    return {word: rows for word, rows in words.items() if rows}, samples


class SoundQuestions:
    """Batches of (waves float32 (B, n), questions [str], candidates [4 × str], right int64 (B,))."""

    def __init__(self, held_out=False, events=None, words=None):
        self.held_out = held_out
        self.events = events or Events("held_out" if held_out else "train")
        self.words, self.speech = words or load_words(held_out)
        self.kinds = {"heard": self.heard, "first": self.first, "last": self.last, "after": self.after, "absent": self.absent,
                      "loudest": self.loudest, "count": self.count, "word": self.word, "first word": self.first_word}

    def one(self, rng, seconds=None, kind=None):
        """A SoundQuestion of a kind and length, drawn with equal chance where not given."""
        samples = int((seconds or pick(rng, LENGTHS_S)) * RATE)
        question = self.kinds[kind or pick(rng, list(self.kinds))](rng, samples)
        wave = question.wave / (np.abs(question.wave).max() + 1e-9)
        return question._replace(wave=add_noise(wave if self.held_out else colour_sound(wave, rng), rng))

    def draw(self, batch, rng):
        seconds = pick(rng, LENGTHS_S)
        asked = [self.one(rng, seconds) for _ in range(batch)]
        waves = torch.from_numpy(np.stack([normalise(q.wave) for q in asked]).astype(np.float32))
        return waves, [q.text for q in asked], [q.candidates for q in asked], torch.tensor([q.right for q in asked])

    def others(self, rng, count, taken):
        """Events that are not taken."""
        free = [e for e in EVENTS if e not in taken]
        return [free[i] for i in rng.choice(len(free), size=count, replace=False)]

    def asked(self, wave, text, answer, others, kind, rng, heard, words=()):
        return SoundQuestion(wave, text, *candidates_of(answer, others, rng), kind, tuple(words), tuple(heard))

    def heard(self, rng, samples):
        """One event somewhere in near silence."""
        event, length = pick(rng, EVENTS), int(rng.uniform(0.5, 1) * samples)
        wave = np.zeros(samples)
        start = int(rng.integers(samples - length + 1))
        wave[start : start + length] = self.events.piece(event, length, rng)
        return self.asked(wave, "which sound is heard?", event, self.others(rng, 3, [event]), "heard", rng,
                          [(event, start, start + length)])

    def sequence(self, rng, samples):
        events = self.events.order(max(2, samples // RATE), rng)
        return events, self.events.sequence(events, samples, rng)

    def in_turn(self, events, samples):
        """What is heard when of a sequence."""
        edges = np.linspace(0, samples, len(events) + 1).astype(int)
        return [(event, int(a), int(b)) for event, a, b in zip(events, edges, edges[1:])]

    def place_in_order(self, rng, samples, text, kind, place_):
        """The candidates are the other events of the sequence, filled up with events that are not heard."""
        events, wave = self.sequence(rng, samples)
        answer = events[place_]
        heard = [e for e in events if e != answer]
        others = heard + self.others(rng, 3 - len(heard), events)
        return self.asked(wave, text, answer, others, kind, rng, self.in_turn(events, samples), events)

    def first(self, rng, samples):
        return self.place_in_order(rng, samples, "which sound comes first?", "first", 0)

    def last(self, rng, samples):
        return self.place_in_order(rng, samples, "which sound comes last?", "last", -1)

    def after(self, rng, samples):
        """Which sound follows the first of the pair; of a held-out sequence the pair is the held-out one.

        In training no candidate would make a held-out pair: what is never right would be learnt to be wrong.
        """
        events, wave = self.sequence(rng, samples)
        at = 0 if self.held_out else int(rng.integers(len(events) - 1))
        first, answer = events[at : at + 2]
        never = [] if self.held_out else [e for e in EVENTS if order_is_held_out(first, e)]
        heard = [e for e in events if e not in (first, answer, *never)]
        others = heard + self.others(rng, 3 - len(heard), [*events, *never])
        heard = self.in_turn(events, samples)
        return self.asked(wave, f"which sound follows the {first}?", answer, others, "after", rng, heard, events)

    def absent(self, rng, samples):
        """Three candidates are heard."""
        events = self.events.order(3, rng)
        wave = self.events.sequence(events, samples, rng)
        absent, heard = self.others(rng, 1, events)[0], self.in_turn(events, samples)
        return self.asked(wave, "which sound is not heard?", absent, events, "absent", rng, heard, events)

    def loudest(self, rng, samples):
        """Two at once, one of them 10 to 18 dB under the other."""
        one, other = self.events.blend(rng)
        wave = self.events.mixture((one, other), (0, -rng.uniform(10, 18)), samples, rng)
        others = [other] + self.others(rng, 2, (one, other))
        heard = [(event, 0, samples) for event in (one, other)]
        return self.asked(wave, "which sound is loudest?", one, others, "loudest", rng, heard, (one, other))

    def count(self, rng, samples):
        what, number = pick(rng, list(HITS)), int(rng.integers(1, len(NUMBERS) + 1))
        p = Parameters(rng, self.held_out)
        hit, gap = HITS[what](p), rng.uniform(0.2, 0.3)
        start = rng.uniform(0, samples / RATE - gap * number)
        starts = [start + gap * (i + rng.uniform(0, 0.2)) for i in range(number)]
        wave = place(samples / RATE, starts, lambda: hit)[:samples]
        numbers = [n for n in NUMBERS if n != NUMBERS[number - 1]]
        others = [numbers[i] for i in rng.choice(len(numbers), size=3, replace=False)]
        heard = [(what, int(s * RATE), int(s * RATE) + len(hit)) for s in starts]
        return self.asked(wave, f"how many {what} are heard?", NUMBERS[number - 1], others, "count", rng, heard)

    def spoken(self, word, samples, rng):
        """float (samples,): the word somewhere in silence, RMS 1 while it lasts; cut where longer. And its first sample and end."""
        offset, length = self.words[word][rng.integers(len(self.words[word]))]
        wave = self.speech[offset : offset + min(length, samples)].astype(np.float64)
        wave = wave if self.held_out else disturb(wave, rng)[:samples]  # other tempos and rooms, as in stage 2
        before = int(rng.integers(samples - len(wave) + 1))
        wave /= np.sqrt((wave**2).mean()) + 1e-9
        return np.r_[np.zeros(before), wave, np.zeros(samples - before - len(wave))], before, before + len(wave)

    def some_words(self, rng, count):
        names = list(self.words)
        return [names[i] for i in rng.choice(len(names), size=count, replace=False)]

    def word(self, rng, samples):
        """A word, for half over a quiet event."""
        answer, *others = self.some_words(rng, 4)
        wave, *span = self.spoken(answer, samples, rng)
        heard = [(answer.lower(), *span)]
        if rng.random() < 0.5:
            event = pick(rng, EVENTS)
            wave = wave + self.events.piece(event, samples, rng) * 10 ** (-rng.uniform(12, 25) / 20)
            heard.append((event, 0, samples))
        return self.asked(wave, "which word is spoken?", answer.lower(), [w.lower() for w in others], "word", rng, heard)

    def first_word(self, rng, samples):
        """Two words one after the other."""
        answer, *others = self.some_words(rng, 4)
        half = samples // 2
        (one, *span), (two, start, end) = self.spoken(answer, half, rng), self.spoken(others[0], samples - half, rng)
        heard = [(answer.lower(), *span), (others[0].lower(), half + start, half + end)]
        return self.asked(np.concatenate([one, two]), "which word is spoken first?", answer.lower(),
                          [w.lower() for w in others], "first word", rng, heard)
