"""Writes training/splits.json: names, spoken words, objects of scenes, sound events, held-out style, voices, speeds, pitches.

    python -m training.material.splits

The list is committed, so that training, evaluation and other tools agree on what is held out.
"""
import json
import re

from .objects import COLOURS, objects_of
from .paths import SPLITS, package_dir
from .sounds import SOUND_EVENTS
from .voices import HELD_OUT_SPEED_PITCH, HELD_OUT_VOICES, TRAIN_VOICES, TRAIN_SPEED_PITCH

HELD_OUT_STYLE = "twemoji"
SPOKEN_WORDS = 500


def twemoji_file_stem(hexcode):
    """Twemoji's file naming: lower-case, U+FE0F dropped unless the sequence has a joiner (U+200D)."""
    parts = hexcode.lower().split("-")
    return "-".join(parts if "200d" in parts else [p for p in parts if p != "fe0f"])


def emoji_names():
    """All emoji without skin tones and components that Twemoji draws: list of {hexcode, name, tags}."""
    entries = json.loads((package_dir("emojibase-data") / "en" / "data.json").read_text())
    drawn = {path.stem for path in package_dir("@twemoji/svg").glob("*.svg")}
    kept = [e for e in entries if e.get("group") not in (None, 2) and twemoji_file_stem(e["hexcode"]) in drawn]
    return [{"hexcode": e["hexcode"], "name": e["label"], "tags": e.get("tags", [])} for e in kept]


def spoken_words(names):
    """500 spoken names: every name of one plain word, then the shortest names of two words."""
    single = [n for n in names if re.fullmatch(r"[A-Za-z]{2,}", n["name"])]
    double = sorted((n for n in names if re.fullmatch(r"[a-z]{3,} [a-z]{3,}", n["name"])), key=lambda n: len(n["name"]))
    chosen = (single + double)[:SPOKEN_WORDS]
    return [{"word": n["name"], "hexcode": n["hexcode"]} for n in chosen]


def load_splits():
    """The committed splits as a dict."""
    return json.loads(SPLITS.read_text())


def main():
    names = emoji_names()
    splits = {
        "held_out_style": HELD_OUT_STYLE,
        "held_out_voices": HELD_OUT_VOICES,
        "held_out_speed_pitch": HELD_OUT_SPEED_PITCH,
        "train_voices": TRAIN_VOICES,
        "train_speed_pitch": TRAIN_SPEED_PITCH,
        "sound_events": SOUND_EVENTS,
        "colours": list(COLOURS),
        "objects": objects_of(names),
        "words": spoken_words(names),
        "names": names,
    }
    lists = {k: v for k, v in splits.items() if k in ("objects", "words", "names")}
    head = {k: v for k, v in splits.items() if k not in lists}
    lines = json.dumps(head, indent=1)[:-2]
    for key, rows in lists.items():  # one line a row keeps diffs readable
        lines += f',\n "{key}": [\n' + ",\n".join("  " + json.dumps(r, ensure_ascii=False) for r in rows) + "\n ]"
    SPLITS.write_text(lines + "\n}\n")
    print(f"{len(names)} names, {len(splits['words'])} words -> {SPLITS.name}")


if __name__ == "__main__":
    main()
