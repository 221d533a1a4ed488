"""The synthetic voices: which espeak-ng voices, speeds (words a minute) and pitches (0-99) train, and which are held out.

A voice is an accent (en-us, en-gb, …) or accent+variant. A held-out *variant* is a speaker that training never hears in any
accent; the held-out accent is likewise never trained on. Speeds and pitches outside the training ranges are held out too.
"""

# "en" is British English; espeak-ng silently ignores a variant after the alias "en-gb", so that name is not used.
ACCENTS = ("en-us", "en", "en-gb-scotland", "en-gb-x-rp", "en-gb-x-gbclan", "en-us-nyc", "en-029")
HELD_OUT_ACCENT = "en-gb-x-gbcwmd"
VARIANTS = (
    "", "m1", "m2", "m4", "m5", "m6", "m7", "m8", "f1", "f2", "f4", "f5", "croak", "klatt2", "whisper", "adam",
    "Alicia", "Andrea", "Annie", "belinda", "boris", "caleb", "Denis", "ed", "Gene", "grandpa", "grandma", "Hugo",
    "iven3", "Jacky", "john", "Lee", "linda", "Marco", "Michael", "norbert", "pablo", "rob", "sandro", "shelby",
    "steph", "travis", "victor", "zac",
)
HELD_OUT_VOICES = ["en-us+m3", "en+f3", "en-us+Mike", "en+anika", HELD_OUT_ACCENT]
TRAIN_VOICES = [f"{ACCENTS[i % len(ACCENTS)]}+{v}" if v else a for i, (v, a) in enumerate(
    [("", a) for a in ACCENTS] + [(v, "") for v in VARIANTS if v] + [(v, "") for v in VARIANTS if v])]

TRAIN_SPEED_PITCH = {"speed_wpm": [120, 200], "pitch": [25, 75]}
HELD_OUT_SPEED_PITCH = {
    "benchmark": {"speed_wpm": 160, "pitch": 50},  # the plain setting in which held-out voices are measured
    "corners": [
        {"speed_wpm": s, "pitch": p} for s in (100, 230) for p in (10, 90)
    ],
}
