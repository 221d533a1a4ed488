"""Scenes and what is said of them, on invented sprites: true, unambiguous, seeded, and free of held-out compositions."""
import itertools

import numpy as np
import pytest
import torch

from training.material.objects import COLOURS, RELATIONS, colour_is_held_out, is_held_out, relation_is_held_out
from training.material.phrases import (
    Captions, Grounding, Segmentation, caption, composition_is_held_out, holds, referring_phrases)
from training.material.scenes import COUNT_SHARES, SIZES, Scenes
from training.material.splits import load_splits

OBJECTS = load_splits()["objects"]
NAMES = [o["name"] for o in OBJECTS]


def invented_sprites(styles=("noto", "openmoji")):
    """A coloured ellipse with a dark middle for every object."""
    y, x = np.mgrid[-1:1:96j, -1:1:96j]
    found = {}
    for i, style in enumerate(styles):
        found[style] = {}
        for j, name in enumerate(NAMES):
            solid = x**2 + (y / (0.6 + 0.4 * (j % 2))) ** 2 < 1
            rgba = np.zeros((4, 96, 96), np.uint8)
            rgba[:3] = np.array([37 * j % 256, 91 * j % 256, 120 + 60 * i]).reshape(3, 1, 1) * (x**2 + y**2 > 0.1)
            rgba[3] = 255 * solid
            found[style][name] = rgba
    return found


@pytest.fixture(scope="module")
def training():
    return Scenes(invented_sprites())


@pytest.fixture(scope="module")
def held_out():
    return Scenes(invented_sprites(), held_out=True)


def many(scenes, count, seed=0):
    rng = np.random.default_rng(seed)
    return [scenes.draw(rng, 96) for _ in range(count)], rng


def compositions_said(text):
    """Every (colour, object) and (object, relation, object) that a text says, read word by word and not as it was made."""
    for longer, plain in {"to the left of": "left of", "to the right of": "right of", "over": "above", "under": "below"}.items():
        text = text.replace(f" {longer} ", f" {plain} ")
    words = text.replace("?", " ").replace(",", " ").split()
    said = [pair for pair in zip(words, words[1:]) if pair[0] in COLOURS and pair[1] in NAMES]
    for relation in RELATIONS:
        if f" {relation} " in f" {text} ":
            before, after = text.split(f" {relation} ", 1)
            names = [[w for w in part.replace("?", "").split() if w in NAMES] for part in (before, after)]
            if names[0] and names[1]:
                said.append((names[0][-1], relation, names[1][0]))
    return said


def test_a_fifth_of_the_compositions_is_held_out_and_a_relation_with_its_reverse():
    pairs = [colour_is_held_out(c, n) for c in COLOURS for n in NAMES]
    triples = [relation_is_held_out(a, r, b) for a, b in itertools.product(NAMES, NAMES) for r in RELATIONS]
    assert 0.15 < np.mean(pairs) < 0.25 and 0.19 < np.mean(triples) < 0.215
    assert not colour_is_held_out(None, "dog")
    assert all(relation_is_held_out(a, "left of", b) == relation_is_held_out(b, "right of", a) for a, b in zip(NAMES, NAMES[1:]))
    # The split itself, which must never move: these words were hashed when it was made.
    assert [n for n in NAMES[:20] if is_held_out("red", n)] == HELD_OUT_RED


HELD_OUT_RED = ["butterfly", "dog", "pig", "whale", "turtle", "snake", "rabbit"]


def test_the_committed_objects_are_about_a_hundred_single_words_in_nine_classes():
    assert 100 <= len(NAMES) == len(set(NAMES)) and len({o["class"] for o in OBJECTS}) == 9
    assert all(n.isalpha() and n.islower() for n in NAMES)
    known = {n["hexcode"] for n in load_splits()["names"]}
    assert {o["hexcode"] for o in OBJECTS} <= known


def test_things_are_where_their_boxes_and_masks_say(training):
    scenes, _ = many(training, 120)
    for scene in scenes:
        side = scene.picture.shape[0]
        seen = np.zeros((side, side), bool)
        for thing in scene.things:
            ys, xs = np.nonzero(thing.mask)
            assert thing.box == (xs.min() / side, ys.min() / side, (xs.max() + 1) / side, (ys.max() + 1) / side)
            assert not (seen & thing.mask).any()  # visible pixels belong to one object
            seen |= thing.mask
            assert (scene.labels[thing.mask] == 1 + training.kinds[thing.name]).all()
            longer = max(thing.box[2] - thing.box[0], thing.box[3] - thing.box[1])
            assert (longer < 0.28) == (thing.size == "small") and longer < 1.1 * SIZES["big"][1]
        assert ((scene.labels > 0) == seen).all()
        assert scene.coarse_labels().shape == (side // 4, side // 4)
    assert {len(s.things) for s in scenes} == set(range(1, len(COUNT_SHARES) + 1))


def test_lines_thinner_than_a_pixel_stay_visible_in_small_pictures():
    sprites = invented_sprites()
    for style in sprites.values():
        for rgba in style.values():
            rgba[3] = np.where(np.arange(96) % 24 == 0, rgba[3], 0)  # one pixel in 24
    scenes, _ = many(Scenes(sprites), 60, seed=6)
    assert all(thing.mask.sum() > 3 for scene in scenes for thing in scene.things)


def test_a_recoloured_object_has_its_colour(training):
    rng = np.random.default_rng(3)
    for name, (colour, rgb) in itertools.product(("dog", "car", "lemon"), COLOURS.items()):
        scene = training.draw(rng, 96, specs=[(name, colour, "big")])
        mean = scene.picture[scene.things[0].mask].mean(0) / 255
        nearest = min(COLOURS, key=lambda c: np.abs(np.array(COLOURS[c]) - mean).sum())
        assert nearest == colour, (name, colour, mean)


def test_training_scenes_phrases_and_captions_hold_no_held_out_composition(training):
    scenes, rng = many(training, 600, seed=1)
    pairs = {(t.colour, t.name) for s in scenes for t in s.things if t.colour}
    assert len(pairs) > 300 and not any(colour_is_held_out(*pair) for pair in pairs)
    texts = [p.text for s in scenes for p in referring_phrases(s, False, rng)] + [caption(s, False, rng) for s in scenes]
    said = [words for text in texts for words in compositions_said(text)]
    assert sum(len(w) == 2 for w in said) > 300 and sum(len(w) == 3 for w in said) > 300
    assert not [words for words in said if composition_is_held_out(words)]


def test_held_out_scenes_show_and_say_held_out_compositions(held_out):
    scenes, rng = many(held_out, 200, seed=2)
    pairs = [(t.colour, t.name) for s in scenes for t in s.things if t.colour]
    assert len(pairs) > 100 and all(colour_is_held_out(*pair) for pair in pairs)
    phrases = [p for s in scenes for p in referring_phrases(s, True, rng)]
    assert {p.kind for p in phrases if p.words} == {"colour", "relation"}
    assert all(composition_is_held_out(p.words) for p in phrases if p.words)


def test_every_phrase_fits_one_object_only(training):
    scenes, rng = many(training, 300, seed=4)
    kinds = set()
    for scene in scenes:
        for phrase in referring_phrases(scene, False, rng):
            target = scene.things[phrase.index]
            same = [t for t in scene.things if t.name == target.name]
            kinds.add(phrase.kind)
            if phrase.kind == "name":
                fits = same
            elif phrase.kind == "colour":
                fits = [t for t in same if t.colour in (phrase.words[0], None)]  # artwork's own colour might be the same
            elif phrase.kind == "size":
                fits = [t for t in same if t.size in phrase.text.split()]
            elif phrase.kind == "relation":
                others = [t for t in scene.things if t.name == phrase.words[2]]
                fits = [t for t in same if holds(t, phrase.words[1], others[0])]
                assert len(others) == 1
            else:
                axis, far = {"left": (0, min), "righ": (0, max), "topm": (1, min), "lowe": (1, max)}[phrase.text.split()[1][:4]]
                fits = [far(same, key=lambda t: t.centre[axis])]
            assert fits == [target], phrase
    assert kinds == {"name", "colour", "size", "relation", "extreme"}


def test_batches_depend_on_seed_and_step_only(training):
    grounding = Grounding(training)
    ahead = grounding.batches(4, 96, [5, 1], first_step=0, workers=0)
    next(ahead)
    pictures, phrases, boxes = next(ahead)
    again = next(grounding.batches(4, 96, [5, 1], first_step=1, workers=0))
    assert torch.equal(pictures, again[0]) and phrases == again[1] and torch.equal(boxes, again[2])
    assert pictures.shape == (4, 3, 96, 96) and ((boxes[:, :2] < boxes[:, 2:]) & (boxes >= 0)[:, :2]).all()


def test_segmentation_and_caption_batches_have_their_shapes(training):
    pictures, labels = Segmentation(training).draw(3, 96, np.random.default_rng(0))
    assert pictures.shape == (3, 3, 96, 96) and labels.shape == (3, 24, 24) and int(labels.max()) <= 9
    pictures, texts = Captions(training).draw(3, 96, np.random.default_rng(0))
    assert len(texts) == 3 and torch.isfinite(pictures).all()


def test_the_held_out_style_cannot_enter_training_scenes():
    with pytest.raises(AssertionError):
        Scenes(invented_sprites(("noto", "twemoji")))
    Scenes(invented_sprites(("twemoji",)), held_out=True)  # evaluation may
