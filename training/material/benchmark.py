"""Writes the held-out benchmark as files, for programs that know nothing of this code.

    python -m training.material.benchmark --out DIR

    benchmark.json   every question with its answer; file names are relative to DIR
    pictures/*.png   scenes of held-out compositions, once in training styles, once in the held-out style (Twemoji)
    masks/*.png      class indices: 0 background, else 1 + class, as `classes` lists them
    sounds/*.wav     the sound events at the held-out parameter tails, and the sounds of the questions; 16 kHz, mono, 16 bit

Boxes are x0, y0, x1, y1 as parts of the side. Everything is seeded: the same bytes every time.
"""
import argparse
import json
from pathlib import Path
import wave

import numpy as np

from .objects import CLASSES, COLOURS
from .pairs import TRUE, PicturePairs
from .paths import package_dir
from .phrases import KINDS, Grounding
from .questions import ANSWERS, CHANCE, PictureQuestions
from .scenes import Scenes, training_sprites
from .sound_questions import CHANCE as SOUND_CHANCE, SoundQuestions
from .sound_synthesis import CLIPS, synthesise
from .sound_tools import RATE
from .sounds import SOUND_EVENTS
from .splits import HELD_OUT_STYLE, load_splits, twemoji_file_stem
from .sprites import draw_svg

SEED = 20230518  # of every draw, with a number for the kind of test
SIDE = 128
SIZES = {"grounding": 500, "questions": 506, "pairs": 300, "segmentation": 200, "sound_questions": 405,
         "sounds": CLIPS["held_out"]}  # pictures: for each set of styles; sounds: for each event


def twemoji_sprites():
    """{"twemoji": {object: uint8 (4, 96, 96)}}: only here, and for evaluation only."""
    folder = package_dir("@twemoji/svg")
    stems = {o["name"]: twemoji_file_stem(o["hexcode"]) for o in load_splits()["objects"]}
    return {HELD_OUT_STYLE: {n: draw_svg(folder / f"{stem}.svg").transpose(2, 0, 1) for n, stem in stems.items()}}


class Writer:
    """Pictures and sounds on disk, and what benchmark.json will say of them."""

    def __init__(self, out, side=SIDE):
        self.out, self.side = out, side
        self.lists = {"grounding": [], "segmentation": [], "questions": [], "pairs": [], "sounds": [], "sound_questions": []}

    def png(self, name, pixels):
        """uint8 (S, S, 3) or (S, S); the file's name."""
        from PIL import Image

        Image.fromarray(pixels).save(self.path(name))
        return name

    def path(self, name):
        """Where a file goes; its folder is there."""
        (self.out / name).parent.mkdir(parents=True, exist_ok=True)
        return self.out / name

    def wav(self, name, samples):
        """float (n,) of any level; the file's name."""
        peak = np.abs(samples).max() + 1e-9
        with wave.open(str(self.path(name)), "wb") as file:
            file.setparams((1, 2, RATE, 0, "NONE", ""))
            file.writeframes(np.int16(samples / peak * 28000).tobytes())
        return name

    def grounding(self, styles, scenes, sizes):
        """Phrases with boxes; the masks of the first scenes are the segmentation test."""
        rng, source = np.random.default_rng([SEED, 1]), Grounding(scenes)
        for i in range(max(sizes["grounding"], sizes["segmentation"])):
            scene, phrase = source.one(rng, self.side)
            picture = self.png(f"pictures/{styles}-{i:04d}.png", scene.picture)
            if i < sizes["grounding"]:
                self.lists["grounding"].append({
                    "styles": styles, "picture": picture, "phrase": phrase.text, "kind": phrase.kind,
                    "composition": list(phrase.words), "box": [round(float(x), 4) for x in scene.things[phrase.index].box]})
            if i < sizes["segmentation"]:
                mask = self.png(f"masks/{styles}-{i:04d}.png", scene.labels)
                self.lists["segmentation"].append({"styles": styles, "picture": picture, "mask": mask})

    def questions(self, styles, scenes, sizes):
        rng, source = np.random.default_rng([SEED, 2]), PictureQuestions(scenes)
        kinds = list(source.kinds)
        for i in range(sizes["questions"]):
            q = source.one(rng, self.side, kinds[i % len(kinds)])
            picture = self.png(f"pictures/{styles}-question-{i:04d}.png", q.scene.picture)
            self.lists["questions"].append({"styles": styles, "picture": picture, "question": q.text, "answer": q.answer,
                                            "kind": q.kind, "composition": list(q.words)})

    def pairs(self, styles, scenes, sizes):
        rng, source = np.random.default_rng([SEED, 3]), PicturePairs(scenes)
        kinds = list(source.kinds)
        for i in range(sizes["pairs"]):
            s = source.one(rng, self.side, kinds[i % len(kinds)])
            files = [self.png(f"pictures/{styles}-pair-{i:04d}-{n}.png", scene.picture)
                     for n, scene in (("left", s.left), ("right", s.right))]
            self.lists["pairs"].append({"styles": styles, "left": files[0], "right": files[1], "statement": s.text,
                                        "true": s.label == TRUE, "kind": s.kind, "composition": list(s.words)})

    def sounds(self, sizes):
        for event in (e["name"] for e in SOUND_EVENTS):
            for i in range(sizes["sounds"]):
                file = self.wav(f"sounds/{event.replace(' ', '-')}-{i}.wav", synthesise(event, i, held_out=True).astype(float))
                self.lists["sounds"].append({"sound": file, "event": event})

    def sound_questions(self, source, sizes):
        rng = np.random.default_rng([SEED, 4])
        kinds = list(source.kinds)
        for i in range(sizes["sound_questions"]):
            q = source.one(rng, kind=kinds[i % len(kinds)])
            self.lists["sound_questions"].append({
                "sound": self.wav(f"sounds/question-{i:04d}.wav", q.wave), "question": q.text, "candidates": list(q.candidates),
                "right": q.right, "kind": q.kind})

    def finish(self):
        head = {
            "seed": SEED, "side": self.side,
            "styles": {"training": "styles that training has seen", "held-out": HELD_OUT_STYLE},
            "classes": ["background", *CLASSES], "colours": list(COLOURS), "phrase_kinds": list(KINDS), "answers": list(ANSWERS),
            "chance": {"questions": CHANCE, "pairs": 0.5, "sound_questions": SOUND_CHANCE, "sounds": 1 / len(SOUND_EVENTS)},
            "events": [e["name"] for e in SOUND_EVENTS]}
        lines = ["{"] + [f" {json.dumps(k)}: {json.dumps(v)}," for k, v in head.items()]
        for key, rows in self.lists.items():  # one line a row
            lines += [f" {json.dumps(key)}: [", ",\n".join(f"  {json.dumps(row)}" for row in rows), " ],"]
        (self.out / "benchmark.json").write_text("\n".join(lines).rstrip(",") + "\n}\n")


def write_benchmark(out, scene_sets, sound_questions, sizes=SIZES, side=SIDE):
    """scene_sets: {"training": Scenes, "held-out": Scenes}, both of held-out compositions."""
    writer = Writer(out, side)
    for styles, scenes in scene_sets.items():
        assert scenes.held_out, "the benchmark is made of held-out compositions"
        writer.grounding(styles, scenes, sizes)
        writer.questions(styles, scenes, sizes)
        writer.pairs(styles, scenes, sizes)
    writer.sounds(sizes)
    writer.sound_questions(sound_questions, sizes)
    writer.finish()
    return writer.lists


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--side", type=int, default=SIDE, help="of the pictures, pixels")
    args = parser.parse_args()
    sets = {"training": Scenes(training_sprites(), held_out=True), "held-out": Scenes(twemoji_sprites(), held_out=True)}
    lists = write_benchmark(args.out, sets, SoundQuestions(held_out=True), side=args.side)
    print(", ".join(f"{len(rows)} {key}" for key, rows in lists.items()), "->", args.out)


if __name__ == "__main__":
    main()
