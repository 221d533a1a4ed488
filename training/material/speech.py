"""Speaks words with espeak-ng in process and keeps them as int16 at 16 kHz.

    python -m training.material.speech

speech/train.npy      all clips end to end, int16          speech/train.json   [offset, samples, text, voice, speed, pitch]
speech/held_out.*     the 500 words in the held-out voices at the benchmark's speed and pitch, and at the corners
Clips are trimmed to the spoken part; silence around it is added when a batch is drawn.
"""
import ctypes
import ctypes.util
from concurrent.futures import ProcessPoolExecutor
import json

import numpy as np

from .paths import material_dir
from .splits import load_splits

SAMPLE_RATE_HZ = 16000
OTHER_NAME_VOICES = 10  # training voices that also speak each of the other, longer names
SILENCE = 200  # int16 amplitude under which a sample counts as silence
_SYNCHRONOUS, _UTF8, _RATE, _PITCH = 2, 1, 1, 3  # speak_lib.h


class Speaker:
    """libespeak-ng in this process. One instance a process."""

    def __init__(self):
        name = ctypes.util.find_library("espeak-ng")
        if not name:
            raise FileNotFoundError("libespeak-ng is not installed (Debian: apt-get install espeak-ng)")
        self.lib = ctypes.CDLL(name)
        self.source_rate_hz = self.lib.espeak_Initialize(_SYNCHRONOUS, 0, None, 0)
        self.samples = []
        callback_type = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
        self.callback = callback_type(self._collect)  # kept alive by the attribute
        self.lib.espeak_SetSynthCallback(self.callback)

    def _collect(self, wave, count, _events):
        if wave and count > 0:
            self.samples.append(np.ctypeslib.as_array(wave, (count,)).copy())
        return 0

    def voice(self, name):
        if self.lib.espeak_SetVoiceByName(name.encode()) != 0:
            raise ValueError(f"espeak-ng has no voice {name}")

    def say(self, text, speed_wpm, pitch):
        """Raw int16 samples at the engine's rate, silence included."""
        self.samples = []
        self.lib.espeak_SetParameter(_RATE, int(speed_wpm), 0)
        self.lib.espeak_SetParameter(_PITCH, int(pitch), 0)
        data = text.encode()
        self.lib.espeak_Synth(data, len(data) + 1, 0, 1, 0, _UTF8, None, None)
        return np.concatenate(self.samples) if self.samples else np.zeros(0, np.int16)


def to_16khz(samples, rate_hz):
    """int16 at rate_hz -> int16 at 16 kHz, band-limited."""
    import soxr

    return soxr.resample(samples, rate_hz, SAMPLE_RATE_HZ, quality="HQ")


def trim(samples):
    """Cuts silence at both ends, 5 ms of it stay."""
    loud = np.flatnonzero(np.abs(samples.astype(np.int32)) > SILENCE)
    if len(loud) == 0:
        return samples
    return samples[max(0, loud[0] - 80) : loud[-1] + 80]


def speak_voice(job):
    """(voice, [(text, speed, pitch)]) -> [(text, voice, speed, pitch, int16 clip)]."""
    voice, lines = job
    speaker = Speaker()
    speaker.voice(voice)
    clips = []
    for text, speed, pitch in lines:
        clip = trim(to_16khz(speaker.say(text, speed, pitch), speaker.source_rate_hz))
        if len(clip) > 800:
            clips.append((text, voice, speed, pitch, clip))
    return clips


def training_jobs(splits, seed=1):
    """Every training voice says the 500 words once, at its own random speeds and pitches; a few say the other names."""
    rng = np.random.default_rng(seed)
    words = [w["word"] for w in splits["words"]]
    others = [n["name"] for n in splits["names"] if n["name"] not in set(words) and not n["name"].startswith("flag")]
    speeds, pitches = splits["train_speed_pitch"]["speed_wpm"], splits["train_speed_pitch"]["pitch"]
    voices, jobs = splits["train_voices"], []
    for index, voice in enumerate(voices):
        chosen = words + [o for i, o in enumerate(others) if (i - index) % len(voices) < OTHER_NAME_VOICES]
        jobs.append((voice, [(t, int(rng.integers(*speeds)), int(rng.integers(*pitches))) for t in chosen]))
    return jobs


def held_out_jobs(splits):
    """Every held-out voice says the 500 words plainly; the first also at the held-out speed and pitch corners."""
    words, settings = [w["word"] for w in splits["words"]], splits["held_out_speed_pitch"]
    plain = settings["benchmark"]
    jobs = [(v, [(w, plain["speed_wpm"], plain["pitch"]) for w in words]) for v in splits["held_out_voices"]]
    jobs += [(splits["held_out_voices"][0], [(w, c["speed_wpm"], c["pitch"]) for w in words]) for c in settings["corners"]]
    return jobs


def save(name, jobs):
    folder = material_dir() / "speech"
    folder.mkdir(parents=True, exist_ok=True)
    index, clips, offset = [], [], 0
    with ProcessPoolExecutor(2, max_tasks_per_child=1) as pool:  # the engine keeps state: a fresh process a voice
        for spoken in pool.map(speak_voice, jobs):
            for text, voice, speed, pitch, clip in spoken:
                index.append([offset, len(clip), text, voice, speed, pitch])
                clips.append(clip)
                offset += len(clip)
    np.save(folder / f"{name}.npy", np.concatenate(clips))
    (folder / f"{name}.json").write_text(json.dumps(index))
    print(f"{name}: {len(index)} clips, {offset / SAMPLE_RATE_HZ / 60:.0f} minutes", flush=True)


def load(name):
    """(int16 samples end to end, [[offset, samples, text, voice, speed, pitch]])."""
    folder = material_dir() / "speech"
    return np.load(folder / f"{name}.npy", mmap_mode="r"), json.loads((folder / f"{name}.json").read_text())


def main():
    splits = load_splits()
    trained = set(splits["train_voices"])
    assert not trained & set(splits["held_out_voices"]), "a held-out voice would be trained on"
    save("held_out", held_out_jobs(splits))
    save("train", training_jobs(splits))


if __name__ == "__main__":
    main()
