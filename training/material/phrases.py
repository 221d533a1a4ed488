"""What is said of scenes: referring phrases that fit exactly one object, and captions.

A `Phrase` names its composition, (colour, object) or (object, relation, object). Training says no held-out composition; of a
held-out scene the phrases that say a composition say a held-out one.
"""
from functools import partial
from typing import NamedTuple

import torch

from .batches import batches
from .objects import RELATIONS, colour_is_held_out, relation_is_held_out
from .scenes import Scenes, normalised

WORDS = {"left of": ("left of", "to the left of"), "right of": ("right of", "to the right of"), "above": ("above", "over"),
         "below": ("below", "under")}
EXTREMES = {"leftmost": (0, 1), "rightmost": (0, -1), "topmost": (1, 1), "lowest": (1, -1)}  # axis, sign
FAR, NEAR = 0.12, 0.03  # centre distances, as parts of the side: a relation surely holds, surely does not
KINDS = ("name", "colour", "size", "relation", "extreme")


class Phrase(NamedTuple):
    """text: what is said; index: the object meant; kind: one of KINDS; words: the composition said, or ()."""

    text: str
    index: int
    kind: str
    words: tuple = ()


def offset(a, relation, b):
    """How far `a` lies in the direction of the relation from `b`, and how far aside."""
    dx, dy = a.centre[0] - b.centre[0], a.centre[1] - b.centre[1]
    along = {"left of": -dx, "right of": dx, "above": -dy, "below": dy}[relation]
    return along, abs(dy if relation in ("left of", "right of") else dx)


def holds(a, relation, b):
    """Clearly and mainly in that direction."""
    along, aside = offset(a, relation, b)
    return along >= FAR and along >= aside


def may_hold(a, relation, b):
    """Somewhat in that direction: enough to make a phrase ambiguous or an answer 'no' doubtful."""
    return offset(a, relation, b)[0] > NEAR


def composition_is_held_out(words):
    return colour_is_held_out(*words) if len(words) == 2 else relation_is_held_out(*words)


def pick(rng, options):
    return options[int(rng.integers(len(options)))]


def referring_phrases(scene, held_out, rng):
    """Every Phrase that fits exactly one object of the scene and that the split allows; in a random wording."""
    found = []
    for i, thing in enumerate(scene.things):
        same = [t for t in scene.things if t.name == thing.name and t is not thing]
        if not same:
            found.append(Phrase(thing.name, i, "name"))
        if thing.colour and all(t.colour and t.colour != thing.colour for t in same):
            found.append(Phrase(f"{thing.colour} {thing.name}", i, "colour", (thing.colour, thing.name)))
        if same and all(t.size != thing.size for t in same):
            found.append(Phrase(f"{thing.size} {thing.name}", i, "size"))
        found += relations(scene, i, same, rng) + extremes(i, thing, same)
    article = lambda p: p._replace(text=f"the {p.text}") if rng.random() < 0.5 or p.kind == "extreme" else p
    return [article(p) for p in found if not p.words or composition_is_held_out(p.words) == held_out]


def relations(scene, i, same, rng):
    """Relations to every object whose name is unique. A doubtful one of the same name forbids the phrase."""
    names = [t.name for t in scene.things]
    thing = scene.things[i]
    return [Phrase(f"{thing.name} {pick(rng, WORDS[r])} the {other.name}", i, "relation", (thing.name, r, other.name))
            for other in scene.things if names.count(other.name) == 1 and other is not thing
            for r in RELATIONS if holds(thing, r, other) and not any(may_hold(t, r, other) for t in same)]


def extremes(i, thing, same):
    """The leftmost, rightmost, topmost or lowest of its name."""
    return [Phrase(f"{word} {thing.name}", i, "extreme") for word, (axis, sign) in EXTREMES.items()
            if same and all(sign * (t.centre[axis] - thing.centre[axis]) >= FAR for t in same)]


def a(words):
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def described(thing, rng):
    """"small red car": size for a third, colour where it has one."""
    size = [thing.size] if rng.random() < 0.33 else []
    return " ".join(size + ([thing.colour] if thing.colour else []) + [thing.name])


def caption(scene, held_out, rng):
    """A relation of two objects where the split allows one, else a list of up to three, else the one there is."""
    pairs = [(x, r, y) for x in scene.things for y in scene.things if x is not y for r in RELATIONS
             if holds(x, r, y) and relation_is_held_out(x.name, r, y.name) == held_out]
    if pairs and rng.random() < 0.6:
        x, r, y = pick(rng, pairs)
        return f"{a(described(x, rng))} {pick(rng, WORDS[r])} {a(described(y, rng))}"
    said = [scene.things[i] for i in rng.permutation(len(scene.things))[:3]]
    return " and ".join(a(described(t, rng)) for t in said)


class Grounding:
    """Batches of (pictures float (B, 3, S, S), phrases [str], boxes float (B, 4) as x0, y0, x1, y1 in 0..1)."""

    def __init__(self, scenes=None, kinds=KINDS):
        self.scenes, self.kinds = scenes or Scenes(), kinds

    def one(self, rng, side):
        """(scene, phrase); the kind is drawn first, so that rare kinds are not rare."""
        while True:
            scene = self.scenes.draw(rng, side)
            phrases = referring_phrases(scene, self.scenes.held_out, rng)
            kinds = [k for k in self.kinds if any(p.kind == k for p in phrases)]
            if kinds:
                kind = pick(rng, kinds)
                return scene, pick(rng, [p for p in phrases if p.kind == kind])

    def draw(self, batch, side, rng):
        drawn = [self.one(rng, side) for _ in range(batch)]
        boxes = torch.tensor([scene.things[phrase.index].box for scene, phrase in drawn], dtype=torch.float32)
        return normalised([scene.picture for scene, _ in drawn]), [phrase.text for _, phrase in drawn], boxes

    def batches(self, batch, side, seed, first_step, workers):
        return batches(partial(self.draw, batch, side), seed, first_step, workers)


class Segmentation:
    """Batches of (pictures float (B, 3, S, S), labels int64 (B, S/4, S/4): 0 for the background, else 1 + class)."""

    def __init__(self, scenes=None):
        self.scenes = scenes or Scenes()

    def draw(self, batch, side, rng):
        scenes = [self.scenes.draw(rng, side) for _ in range(batch)]
        labels = torch.stack([torch.from_numpy(s.coarse_labels().astype("int64")) for s in scenes])
        return normalised([s.picture for s in scenes]), labels


class Captions:
    """Batches of (pictures float (B, 3, S, S), captions [str]) for image-text training."""

    def __init__(self, scenes=None):
        self.scenes = scenes or Scenes()

    def draw(self, batch, side, rng):
        scenes = [self.scenes.draw(rng, side) for _ in range(batch)]
        return normalised([s.picture for s in scenes]), [caption(s, self.scenes.held_out, rng) for s in scenes]
