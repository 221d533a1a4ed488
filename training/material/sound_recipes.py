"""More sound events, after animals, calls, machines and things: recipe(p, seconds) -> waveform, as in `sound_synthesis.py`."""
import numpy as np

from .sound_tools import RATE, arch, band, burst, buzz, formants, lowpass, noise, place, rhythm, sweep, times, tone


def phone(p, s):
    """A clapper between two small gongs, in rings with pauses."""
    f, rate, ring, gap = p(1300, 2000), p(18, 28), p(0.35, 0.7), p(0.15, 0.35)
    t = times(ring)
    gongs = sum(np.sin(2 * np.pi * f * r * t) * g for r, g in ((1, 1), (1.22, 0.8), (2.4, 0.4)))
    strokes = np.exp(-12 * (t * rate % 1) / rate * 4)
    return place(s, np.arange(0.02, s, ring + gap), lambda: gongs * strokes * arch(len(t), 0.02, 0.1))


def car_horn(p, s):
    """Two discs, hooted once or more."""
    f, honk, gap = p(350, 450), p(0.2, 0.6), p(0.08, 0.25)
    disc = lambda f: tone(f, honk, (1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3))
    return place(s, np.arange(0.02, s, honk + gap), lambda: (disc(f) + disc(f * 1.26)) * arch(int(honk * RATE), 0.03, 0.05))


def dog(p, s):
    f, length = p(280, 520), p(0.12, 0.2)

    def bark():
        u = np.linspace(0, 1, int(length * RATE))
        x = buzz(f * (0.8 + 0.5 * np.sin(np.pi * u) - 0.3 * u)) + 0.7 * p.rng.standard_normal(len(u))
        return formants(x, (750, 0.8, 1), (1500, 0.6, 0.7), (2800, 0.5, 0.2)) * arch(len(u), 0.08, 0.6)
    return place(s, rhythm(p, s, p(0.3, 0.6), 0.08), bark)


def cat(p, s):
    f, length = p(480, 750), p(0.55, 0.9)

    def meow():
        u = np.linspace(0, 1, int(length * RATE))
        x = buzz(f * (0.8 + 0.45 * np.sin(np.pi * u**0.7)))
        closed, opened = formants(x, (900, 0.5, 1)), formants(x, (1500, 0.5, 1), (2900, 0.4, 0.6))
        return (closed * (1 - np.sin(np.pi * u)) + opened * np.sin(np.pi * u)) * arch(len(u), 0.2, 0.4)
    return place(s, np.arange(0.02, s, length + p(0.15, 0.5)), meow)


def rooster(p, s):
    """Cock-a-doodle-doo: three short notes and a long one that falls."""
    f, pace = p(650, 950), p(0.85, 1.15)

    def note(from_, to, seconds):
        u = np.linspace(0, 1, int(seconds * pace * RATE))
        x = buzz(f * (from_ + (to - from_) * u) * (1 + 0.015 * np.sin(2 * np.pi * 28 * u * seconds)))
        return formants(x, (1500, 0.7, 1), (3000, 0.5, 0.8)) * arch(len(u), 0.1, 0.25)
    pause = np.zeros(int(0.03 * RATE))
    notes = ((0.8, 1.0, 0.14), (1.2, 1.25, 0.12), (1.0, 1.2, 0.14), (1.35, 0.75, 0.55))
    crow = np.concatenate([part for n in notes for part in (note(*n), pause)])
    return place(s, np.arange(0.02, s, len(crow) / RATE + 0.25), lambda: crow)


def owl(p, s):
    f, length = p(300, 480), p(0.18, 0.35)

    def hoot():
        u = np.linspace(0, 1, int(length * RATE))
        return (sweep(f * (0.93 + 0.1 * np.sin(np.pi * u))) + 0.01 * p.rng.standard_normal(len(u))) * np.hanning(len(u))
    starts = [b + o for b in np.arange(0.02, s, p(1.1, 1.6)) for o in (0, length + 0.08, 2 * length + 0.2)]
    return place(s, starts, hoot)


def cow(p, s):
    f, length = p(110, 190), p(0.9, 1.5)

    def moo():
        u = np.linspace(0, 1, int(length * RATE))
        x = buzz(f * (0.85 + 0.3 * np.sin(np.pi * u**0.6)))
        return formants(x, (300, 0.7, 1), (700, 0.5, 0.8), (1700, 0.4, 0.15)) * arch(len(u), 0.2, 0.3)
    return place(s, np.arange(0.02, s, length + p(0.2, 0.6)), moo)


def sheep(p, s):
    """A goat-like vowel whose loudness and pitch tremble."""
    f, tremble, length = p(280, 430), p(6, 10), p(0.5, 0.9)

    def baa():
        t = times(length)
        shake = np.sin(2 * np.pi * tremble * t)
        x = buzz(f * (1 + 0.04 * shake))
        return formants(x, (800, 0.5, 1), (1700, 0.5, 0.9), (2600, 0.4, 0.5)) * (0.6 + 0.4 * shake) * arch(len(t), 0.1, 0.2)
    return place(s, np.arange(0.02, s, length + p(0.15, 0.5)), baa)


def duck(p, s):
    f, length = p(150, 240), p(0.1, 0.17)

    def quack():
        u = np.linspace(0, 1, int(length * RATE))
        x = buzz(f * (1.1 - 0.25 * u))
        return formants(x, (1100, 0.4, 1), (2300, 0.4, 0.9), (3600, 0.3, 0.4)) * arch(len(u), 0.1, 0.4)
    return place(s, rhythm(p, s, p(0.2, 0.4), 0.05), quack)


def horse(p, s):
    """Gallop: three hoofs and a pause, hollow knocks."""
    f, stride = p(500, 1100), p(0.4, 0.6)
    starts = [b + o * stride for b in np.arange(0.02, s, stride) for o in (0, 0.2, 0.4)]

    def hoof():
        t = times(0.07)
        return p(0.7, 1) * np.sin(2 * np.pi * f * p(0.9, 1.1) * t) * np.exp(-70 * t) + 0.4 * burst(p, 0.07, 120, 300, 2500)
    return place(s, starts, hoof)


def organ(p, s):
    """Held major or minor chords of pipes: octaves and fifths, no decay, no vibrato."""
    base, hold = p(130, 260), p(0.7, 1.3)

    def chord():
        root = base * 2 ** (p.rng.integers(0, 8) / 12)
        third = 1.2 if p.rng.random() < 0.5 else 1.26
        pipes = lambda f: tone(f, hold, (1, 0.8, 0.3, 0.7, 0.05, 0.2, 0.02, 0.5))
        return sum(pipes(root * r) for r in (0.5, 1, third, 1.5)) * arch(int(hold * RATE), 0.06, 0.06)
    return place(s, np.arange(0, s, hold), chord)


def drill(p, s):
    """A motor that spins up within its gears' whine, again and again."""
    f, run = p(450, 800), p(0.5, 1.0)

    def turn():
        t = times(run)
        speed = f * (1 - 0.6 * np.exp(-10 * t)) * (1 + 0.01 * np.sin(2 * np.pi * p(20, 40) * t))
        whine = buzz(speed) + 0.7 * buzz(speed * 2.37) + 0.5 * buzz(speed / 8)
        return (whine + 0.5 * band(p.rng.standard_normal(len(t)), 2000, 6000)) * arch(len(t), 0.05, 0.08)
    return place(s, np.arange(0, s, run + p(0.08, 0.2)), turn)


def vacuum(p, s):
    """A steady fan: air noise around a whine and its octave."""
    f = p(550, 900)
    whine = tone(f, s, (1, 0.5, 0.2)) * (1 + 0.05 * np.sin(2 * np.pi * p(1, 3) * times(s)))
    air = band(noise(p, s), 250, p(1800, 3000))
    return 0.5 * whine + 1.2 * air + lowpass(noise(p, s), 120)


def water_drop(p, s):
    """Single drips: an air bubble that rings upwards."""
    f, every = p(700, 1400), p(0.35, 0.8)

    def drip():
        t = times(0.15)
        x = sweep(f * p(0.9, 1.1) * (1 + p(3, 6) * t)) * np.exp(-p(30, 50) * t)
        return x + 0.3 * np.r_[np.zeros(900), x[:-900]]
    return place(s, rhythm(p, s, every, 0.15), drip)


def camera(p, s):
    """Click and clack of a shutter, then the short whir of a winder."""
    gap, f = p(0.06, 0.14), p(2500, 4500)
    whir = lambda: 0.25 * buzz(np.full(int(0.22 * RATE), p(170, 260))) * arch(int(0.22 * RATE), 0.2, 0.2)
    out = np.zeros(int(s * RATE))
    for start in np.arange(0.05, s, p(0.7, 1.1)):
        out += place(s, [start], lambda: burst(p, 0.03, 200, f * 0.5, f * 1.4))
        out += place(s, [start + gap], lambda: 0.8 * burst(p, 0.04, 150, f * 0.3, f))
        out += place(s, [start + gap + 0.03], whir)
    return out


def ping_pong(p, s):
    """A dropped ball: hollow hits at ever shorter intervals."""
    f, bounce, first = p(900, 1700), p(0.72, 0.84), p(0.3, 0.45)
    starts, at = [], 0.03
    while at < s:
        fall = first
        while fall > 0.03 and at < s:
            starts.append(at)
            at, fall = at + fall, fall * bounce
        at += 0.15
    hit = lambda: np.sin(2 * np.pi * f * times(0.05)) * np.exp(-110 * times(0.05)) + 0.2 * burst(p, 0.05, 300, 1500, 5000)
    return place(s, starts, hit)


def zipper(p, s):
    """Teeth that catch faster and faster, brighter and brighter."""
    pull, gap = p(0.4, 0.8), p(0.1, 0.3)

    def close():
        u = np.linspace(0, 1, int(pull * RATE))
        rate = p(60, 90) + p(150, 250) * u
        teeth = (np.cumsum(rate) / RATE % 1) < 0.25
        hiss = p.rng.standard_normal(len(u)) * teeth
        return (band(hiss, 2500, 4500) * (1 - u) + band(hiss, 4000, 7500) * u) * arch(len(u), 0.05, 0.05)
    return place(s, np.arange(0.02, s, pull + gap), close)


def morse(p, s):
    """Dots and dashes of a pure tone."""
    f, dot = p(550, 950), p(0.05, 0.09)
    out, at = np.zeros(int(s * RATE)), 0.02
    while at < s:
        length = dot * (1 if p.rng.random() < 0.5 else 3)
        t = times(length)
        out += place(s, [at], lambda: np.sin(2 * np.pi * f * t) * arch(len(t), 0.1, 0.1))
        at += length + dot * (1 if p.rng.random() < 0.75 else 3)
    return out
