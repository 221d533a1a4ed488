"""Questions about scenes, after VQA: one of a fixed list of answers.

The answer is drawn first and a scene is made for it, so that whoever does not look gets no more than `CHANCE` of a kind right.
A question says no held-out composition in training; of a held-out scene, one that says a composition says a held-out one.
"""
from typing import NamedTuple

import torch

from .objects import CLASSES, COLOURS, RELATIONS, VOCABULARY, colour_is_held_out, relation_is_held_out
from .phrases import a, holds, may_hold, pick
from .scenes import MOST_OBJECTS, Scene, Scenes, normalised, shuffled

OBJECT_NAMES = tuple(word.split("=")[0] for words in VOCABULARY.values() for word in words)
COUNTS = tuple(str(n) for n in range(MOST_OBJECTS + 1))
SIDES = {"left of": "left", "right of": "right", "above": "above", "below": "below"}
ANSWERS = ("no", "yes", *COUNTS, *COLOURS, *SIDES.values(), "small", "big", *CLASSES, *OBJECT_NAMES)
MOST_COUNTED = 4  # of one name


class Question(NamedTuple):
    """words: the composition that the text says or its answer completes, or ()."""

    scene: Scene
    text: str
    answer: str
    kind: str
    words: tuple = ()


def plural(name):
    if name == "fish":
        return name
    if name.endswith(("s", "x", "ch", "sh")) or name == "tomato":
        return f"{name}es"
    return f"{name[:-1]}ies" if name[-1] == "y" and name[-2] not in "aeiou" else f"{name}s"


class PictureQuestions:
    """Batches of (pictures float (B, 3, S, S), questions [str], answers int64 (B,) into ANSWERS)."""

    def __init__(self, scenes=None):
        self.scenes = scenes or Scenes()
        self.held_out = self.scenes.held_out
        self.kinds = {
            "exists": self.exists, "coloured": self.coloured, "relation": self.relation, "side": self.side, "size": self.size,
            "count": self.count, "total": self.total, "colour": self.colour, "kind": self.kind, "which": self.which,
            "beside": self.beside}

    def one(self, rng, side=128, kind=None):
        """A Question of a kind, drawn with equal chance where not given."""
        return self.kinds[kind or pick(rng, list(self.kinds))](rng, side)

    def draw(self, batch, side, rng):
        asked = [self.one(rng, side) for _ in range(batch)]
        answers = torch.tensor([ANSWERS.index(q.answer) for q in asked])
        return normalised([q.scene.picture for q in asked]), [q.text for q in asked], answers

    def exists(self, rng, side):
        scene = self.scenes.draw(rng, side)
        inside = sorted({t.name for t in scene.things})
        answer = pick(rng, ("no", "yes"))
        name = pick(rng, inside) if answer == "yes" else self.scenes.other_names(rng, 1, inside)[0]
        return Question(scene, f"is there {a(name)}?", answer, "exists")

    def some_colour(self, rng, colours=tuple(COLOURS), names=OBJECT_NAMES):
        """(colour, name) of this split: the colour with equal chance, then an object that may have it."""
        colour = pick(rng, colours)
        return colour, pick(rng, [n for n in names if colour in self.scenes.colours[n]])

    def coloured(self, rng, side):
        colour, name = self.some_colour(rng)
        answer = pick(rng, ("no", "yes"))
        other = pick(rng, [c for c in COLOURS if c != colour and (self.held_out or not colour_is_held_out(c, name))])
        shown = [(name, colour if answer == "yes" else other, self.scenes.size(rng))]
        if answer == "no" and rng.random() < 0.3:  # the colour is there, the object is not
            shown = [(n, colour, self.scenes.size(rng)) for n in [self.some_colour(rng, (colour,))[1]] if n != name]
        specs = shuffled(shown + self.scenes.others(rng, int(rng.integers(1, 4)), [name, *[n for n, _, _ in shown]]), rng)
        scene = self.scenes.draw(rng, side, specs)
        return Question(scene, f"is there {a(f'{colour} {name}')}?", answer, "coloured", (colour, name))

    def count(self, rng, side):
        answer = int(rng.integers(MOST_COUNTED + 1))
        name = pick(rng, OBJECT_NAMES)
        shown = self.scenes.alike(name, answer, rng) if answer else []
        least = 0 if answer else 1
        others = self.scenes.others(rng, int(rng.integers(least, MOST_OBJECTS - answer + 1 - answer // 4)), [name])
        scene = self.scenes.draw(rng, side, shuffled(shown + others, rng))
        return Question(scene, f"how many {plural(name)} are there?", str(answer), "count")

    def total(self, rng, side):
        answer = int(rng.integers(1, MOST_OBJECTS + 1))
        scene = self.scenes.draw(rng, side, self.scenes.specs(rng, answer))
        return Question(scene, "how many objects are there?", str(answer), "total")

    def colour(self, rng, side):
        colour, name = self.some_colour(rng)
        specs = [(name, colour, self.scenes.size(rng))] + self.scenes.others(rng, int(rng.integers(4)), [name])
        scene = self.scenes.draw(rng, side, shuffled(specs, rng))
        return Question(scene, f"what colour is the {name}?", colour, "colour", (colour, name))

    def only_of_colour(self, rng, side, names):
        """(scene, colour, name): every object has a colour, one of them the asked one."""
        colour, name = self.some_colour(rng, [c for c in COLOURS if any(c in self.scenes.colours[n] for n in names)], names)
        specs, taken = [(name, colour, self.scenes.size(rng))], [name]
        for _ in range(int(rng.integers(1, 4))):
            other, other_name = self.some_colour(rng, tuple(c for c in COLOURS if c != colour))
            if other_name not in taken:
                specs.append((other_name, other, self.scenes.size(rng)))
                taken.append(other_name)
        return self.scenes.draw(rng, side, shuffled(specs, rng)), colour, name

    def kind(self, rng, side):
        kind = pick(rng, CLASSES)
        scene, *words = self.only_of_colour(rng, side, [n for n in OBJECT_NAMES if CLASSES[self.scenes.kinds[n]] == kind])
        return Question(scene, f"what kind of thing is {words[0]}?", kind, "kind", tuple(words))

    def which(self, rng, side):
        scene, colour, name = self.only_of_colour(rng, side, OBJECT_NAMES)
        return Question(scene, f"which object is {colour}?", name, "which", (colour, name))

    def size(self, rng, side):
        answer, name = pick(rng, ("small", "big")), pick(rng, OBJECT_NAMES)
        specs = [(name, self.scenes.colour(name, rng), answer)] + self.scenes.others(rng, int(rng.integers(4)), [name])
        return Question(self.scenes.draw(rng, side, shuffled(specs, rng)), f"is the {name} small or big?", answer, "size")

    def related(self, rng, side, true, allowed):
        """(scene, x, relation, y): names are unique, and the relation surely holds or surely does not."""
        while True:
            scene = self.scenes.draw(rng, side, self.scenes.specs(rng, int(rng.integers(2, MOST_OBJECTS + 1))))
            names = [t.name for t in scene.things]
            unique = [t for t in scene.things if names.count(t.name) == 1]
            found = [(scene, x, r, y) for x in unique for y in unique if x is not y for r in RELATIONS
                     if relation_is_held_out(x.name, r, y.name) == self.held_out
                     and (holds(x, r, y) if true else not may_hold(x, r, y)) and allowed(scene, x, r, y)]
            if found:
                return pick(rng, found)

    def relation(self, rng, side):
        answer = pick(rng, ("no", "yes"))
        scene, x, r, y = self.related(rng, side, answer == "yes", lambda *_: True)
        return Question(scene, f"is the {x.name} {r} the {y.name}?", answer, "relation", (x.name, r, y.name))

    def side(self, rng, side):
        """Both directions are said: in training neither may be held out; else the true one is."""
        turned = {"left of": "right of", "right of": "left of", "above": "below", "below": "above"}
        trainable = lambda _, x, r, y: self.held_out or not relation_is_held_out(x.name, turned[r], y.name)
        scene, x, r, y = self.related(rng, side, True, trainable)
        text = f"is the {x.name} {'left or right of' if r in ('left of', 'right of') else 'above or below'} the {y.name}?"
        return Question(scene, text, SIDES[r], "side", (x.name, r, y.name))

    def beside(self, rng, side):
        """What is left of …: nothing else may be somewhat there."""
        alone = lambda scene, x, r, y: not any(may_hold(t, r, y) for t in scene.things if t is not x and t is not y)
        scene, x, r, y = self.related(rng, side, True, alone)
        return Question(scene, f"what is {r} the {y.name}?", x.name, "beside", (x.name, r, y.name))


CHANCE = {"exists": 1 / 2, "coloured": 1 / 2, "relation": 1 / 2, "side": 1 / 2, "size": 1 / 2, "count": 1 / (MOST_COUNTED + 1),
          "total": 1 / MOST_OBJECTS, "colour": 1 / len(COLOURS), "kind": 1 / len(CLASSES), "which": 1 / len(OBJECT_NAMES),
          "beside": 1 / len(OBJECT_NAMES)}
