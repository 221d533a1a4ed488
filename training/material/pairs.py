"""Statements about two pictures, true or false, after NLVR2. Both are equally likely for each kind of statement.

The truth is drawn first and two scenes are made for it. Held-out compositions as in `questions.py`.
"""
from typing import NamedTuple

import torch

from .objects import COLOURS, colour_is_held_out
from .phrases import a, pick
from .questions import OBJECT_NAMES, PictureQuestions, plural
from .scenes import Scene, normalised, shuffled

TRUE, FALSE = 0, 1  # the label order of NLVR2's head (§4.4)
NUMBERS = ("no", "one", "two", "three", "four")
SIDES = ("left", "right")
MOST = 4


class Statement(NamedTuple):
    left: Scene
    right: Scene
    text: str
    label: int
    kind: str
    words: tuple = ()


class PicturePairs:
    """Batches of (left, right: float (B, 3, S, S), statements [str], labels int64 (B,): 0 true, 1 false)."""

    def __init__(self, scenes=None):
        self.questions = PictureQuestions(scenes)
        self.scenes = self.questions.scenes
        self.kinds = {"count": self.count, "more": self.more, "both": self.both, "only": self.only, "coloured": self.coloured,
                      "relation": self.relation}

    def one(self, rng, side=128, kind=None):
        """A Statement of a kind, drawn with equal chance where not given."""
        return self.kinds[kind or pick(rng, list(self.kinds))](rng, side, bool(rng.integers(2)))

    def draw(self, batch, side, rng):
        said = [self.one(rng, side) for _ in range(batch)]
        left, right = ([getattr(s, name).picture for s in said] for name in SIDES)
        return normalised(left), normalised(right), [s.text for s in said], torch.tensor([s.label for s in said])

    def scene(self, rng, side, shown, taken):
        """A scene of the specs shown and up to three objects of other names."""
        others = self.scenes.others(rng, int(rng.integers(0 if shown else 1, 4 if len(shown) < 4 else 2)), taken)
        return self.scenes.draw(rng, side, shuffled(shown + others, rng))

    def counted(self, rng, side, name, count):
        return self.scene(rng, side, self.scenes.alike(name, count, rng) if count else [], [name])

    def ordered(self, where, there, elsewhere):
        """(left, right) of a scene on the side `where` and one on the other."""
        return (there, elsewhere) if where == "left" else (elsewhere, there)

    def count(self, rng, side, true):
        """"there are two dogs in the left image"; the other image may well hold two."""
        name, where, stated = pick(rng, OBJECT_NAMES), pick(rng, SIDES), int(rng.integers(1, MOST + 1))
        wrong = [n for n in range(MOST + 1) if n != stated]
        there = stated if true else pick(rng, wrong)
        elsewhere = pick(rng, wrong) if true or rng.random() < 0.5 else stated
        left, right = self.ordered(where, *(self.counted(rng, side, name, n) for n in (there, elsewhere)))
        what = f"is one {name}" if stated == 1 else f"are {NUMBERS[stated]} {plural(name)}"
        return Statement(left, right, f"there {what} in the {where} image", FALSE - true, "count")

    def more(self, rng, side, true):
        name, where = pick(rng, OBJECT_NAMES), pick(rng, SIDES)
        few, many = sorted(int(n) for n in rng.choice(MOST + 1, size=2, replace=False))
        if not true and rng.random() < 0.25:
            many = few  # equal is not more
        there, elsewhere = (many, few) if true else (few, many)
        left, right = self.ordered(where, *(self.counted(rng, side, name, n) for n in (there, elsewhere)))
        other = SIDES[where == "left"]
        text = f"the {where} image has more {plural(name)} than the {other} image"
        return Statement(left, right, text, FALSE - true, "more")

    def both(self, rng, side, true):
        name = pick(rng, OBJECT_NAMES)
        holding = (1, 1) if true else pick(rng, ((1, 0), (0, 1), (0, 1), (1, 0), (0, 0)))
        left, right = (self.counted(rng, side, name, n) for n in holding)
        return Statement(left, right, f"both images contain {a(name)}", FALSE - true, "both")

    def only(self, rng, side, true):
        name, where = pick(rng, OBJECT_NAMES), pick(rng, SIDES)
        holding = (1, 0) if true else pick(rng, ((1, 1), (0, 1), (0, 0)))
        left, right = self.ordered(where, *(self.counted(rng, side, name, n) for n in holding))
        return Statement(left, right, f"only the {where} image contains {a(name)}", FALSE - true, "only")

    def coloured(self, rng, side, true):
        """"the left image contains a red dog". Where false, it holds one of another colour, or only the other image holds it."""
        (colour, name), where = self.questions.some_colour(rng), pick(rng, SIDES)
        other = pick(rng, [c for c in COLOURS if c != colour and (self.scenes.held_out or not colour_is_held_out(c, name))])
        red, blue, none = [(name, colour, self.scenes.size(rng))], [(name, other, self.scenes.size(rng))], []
        there, elsewhere = (red, pick(rng, (blue, none))) if true else pick(rng, ((blue, red), (blue, none), (none, red)))
        left, right = self.ordered(where, *(self.scene(rng, side, shown, [name]) for shown in (there, elsewhere)))
        text = f"the {where} image contains {a(f'{colour} {name}')}"
        return Statement(left, right, text, FALSE - true, "coloured", (colour, name))

    def relation(self, rng, side, true):
        """"in the left image the dog is left of the cat": each is there once, so that the place decides."""
        where = pick(rng, SIDES)
        there, x, r, y = self.questions.related(rng, side, true, lambda *_: True)
        elsewhere = self.scenes.draw(rng, side)
        left, right = self.ordered(where, there, elsewhere)
        text = f"in the {where} image the {x.name} is {r} the {y.name}"
        return Statement(left, right, text, FALSE - true, "relation", (x.name, r, y.name))
