"""What sound events are built of: random physical parameters, noise, bands, tones, decays, rhythms. numpy only, 16 kHz."""
import numpy as np
from scipy.signal import butter, lfilter, sosfilt

RATE = 16000


class Parameters:
    """Random physical parameters; `tails` draws them from the outer 20 % of each range, else from the middle 80 %.

    `edges` prefers both ends of that middle: drawn evenly, hardly a sound would have all of its parameters far from the centre.
    """

    def __init__(self, rng, tails, edges=False):
        self.rng, self.tails, self.edges = rng, tails, edges

    def __call__(self, low, high):
        u = self.rng.beta(0.3, 0.3) if self.edges else self.rng.random()
        u = (u * 0.1 if self.rng.random() < 0.5 else 1 - u * 0.1) if self.tails else 0.1 + 0.8 * u
        return low + u * (high - low)

    def count(self, low, high):
        return int(round(self(low, high)))


def noise(p, seconds):
    return p.rng.standard_normal(int(seconds * RATE))


def band(x, low, high):
    """Band-pass, second order sections."""
    return sosfilt(butter(2, [low, min(high, 7900)], "band", fs=RATE, output="sos"), x)


def lowpass(x, cut):
    return sosfilt(butter(2, cut, "low", fs=RATE, output="sos"), x)


def times(seconds):
    return np.arange(int(seconds * RATE)) / RATE


def sweep(frequency):
    """Sine whose frequency in Hz is given at every sample."""
    return np.sin(2 * np.pi * np.cumsum(frequency) / RATE)


def tone(frequency, seconds, harmonics, decay=0.0):
    """Harmonic amplitudes; higher partials fade faster when decaying."""
    t = times(seconds)
    return sum(a * np.sin(2 * np.pi * frequency * (i + 1) * t) * np.exp(-decay * (1 + 0.4 * i) * t)
               for i, a in enumerate(harmonics) if frequency * (i + 1) < 7800)


def place(seconds, starts, sound):
    """Adds sound() at each start time (seconds)."""
    out = np.zeros(int(seconds * RATE))
    for start in starts:
        at, clip = int(start * RATE), sound()
        end = min(len(out), at + len(clip))
        if at < end:
            out[at:end] += clip[: end - at]
    return out


def rhythm(p, seconds, every, jitter=0.05):
    return [max(0.0, s + p.rng.normal() * jitter * every) for s in np.arange(0.02, seconds, every)]


def burst(p, seconds, decay, low, high):
    """A noise hit with exponential decay."""
    x = band(noise(p, seconds), low, high)
    return x * np.exp(-decay * times(seconds))


def random_starts(p, seconds, per_second):
    return p.rng.random(max(1, int(per_second * seconds))) * seconds


def pluck(p, f, seconds):
    """Karplus-Strong string."""
    period = int(RATE / f)
    excitation = np.zeros(int(seconds * RATE))
    excitation[:period] = p.rng.uniform(-1, 1, period)
    return lfilter([1], np.r_[1, np.zeros(period - 1), -0.498, -0.498], excitation)


def buzz(frequency):
    """Saw-tooth of a frequency in Hz given at every sample: the raw voice of throats, reeds and motors."""
    return 2 * (np.cumsum(frequency) / RATE % 1) - 1


def formants(x, *peaks):
    """Sum of resonances (Hz, relative width, gain) of a raw voice: what makes it a vowel."""
    return sum(gain * band(x, centre * (1 - width / 2), centre * (1 + width / 2)) for centre, width, gain in peaks)


def arch(n, rise=0.15, fall=0.3):
    """(n,) envelope that rises and falls over these parts of it."""
    u = np.arange(n) / n
    return np.minimum(1, u / rise) * np.minimum(1, (1 - u) / fall)
