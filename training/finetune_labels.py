"""What scenes show and texts say, as labels of patches and tokens: what the aids of finetune_aids.py teach.

Everywhere -1 means that nothing is asked there. Names and colours are 1 + their index; 0 is the background, or artwork in the
colours its artist gave it.
"""
import torch

from .material.objects import COLOURS, RELATIONS, colour_is_held_out, relation_is_held_out
from .material.phrases import holds, may_hold
from .material.questions import ANSWERS, OBJECT_NAMES, SIDES, plural

MOST_OF_BACKGROUND, LEAST_OF_OBJECT = 0.05, 0.3  # covered parts of a patch that count as background and as an object
COLOUR_NAMES = tuple(COLOURS)
ALL = "objects"  # the word for everything there is


def covered_patches(mask, patch=16):
    """bool (S, S) -> float (g²,): the part of each patch that is covered, row-major."""
    side = mask.shape[0] // patch
    return torch.from_numpy(mask).float().view(side, patch, side, patch).mean((1, 3)).flatten()


def name_label(thing):
    return 1 + OBJECT_NAMES.index(thing.name)


def colour_label(thing):
    """-1 for a tone that has no name here."""
    return 1 + COLOUR_NAMES.index(thing.colour) if thing.colour else -1 if thing.toned else 0


def shown_in_patches(scene, patch=16):
    """{"names", "colours": int64 (g²,)}: what fills a patch, -1 where mixed; "frames" (g², 4), the box of that object;
    "centres" int64 (g²,), the name of the object whose box has its centre there, else 0: one patch for each object."""
    side = scene.picture.shape[0] // patch
    names, colours = torch.zeros(side * side, dtype=torch.long), torch.full((side * side,), -1)
    frames, centres = torch.zeros(side * side, 4), torch.zeros(side * side, dtype=torch.long)
    covered = [covered_patches(thing.mask, patch) for thing in scene.things]
    names[torch.stack(covered).sum(0) > MOST_OF_BACKGROUND] = -1
    for thing, part in zip(scene.things, covered):
        mine = part > LEAST_OF_OBJECT
        names[mine], colours[mine] = name_label(thing), colour_label(thing)
        frames[mine] = torch.tensor(thing.box, dtype=torch.float32)
        column, row = (min(side - 1, int(x * side)) for x in thing.centre)
        centres[row * side + column] = name_label(thing)
    return {"names": names, "colours": colours, "frames": frames, "centres": centres}


class Said:
    """Which tokens of a text say the name or the colour of an object, a side, or all objects: the last one of such a word."""

    def __init__(self, tokenizer):
        ids = lambda word: tuple(tokenizer(word)[:-1])
        self.words = {
            "said_names": {ids(form): 1 + i for i, name in enumerate(OBJECT_NAMES) for form in (name, plural(name))},
            "said_colours": {ids(colour): 1 + i for i, colour in enumerate(COLOUR_NAMES)},
            "said_sides": {ids(side): 1 + i for i, side in enumerate(SIDES.values())},
            "said_all": {ids(ALL): 1}}
        self.longest = max(len(word) for words in self.words.values() for word in words)

    def __call__(self, ids):
        """int64 (B, T) -> {"said_names", "said_colours", "said_sides", "said_all": int64 (B, T)}, -1 where nothing is said."""
        said = {kind: torch.full_like(ids, -1) for kind in self.words}
        for row, tokens in enumerate(ids.tolist()):
            free = 0  # a word may begin with another: "sunflower" says no sun, "hats" is marked once
            for start in range(len(tokens)):
                for end in range(min(len(tokens), start + self.longest), max(start, free), -1):
                    word = tuple(tokens[start:end])
                    kind = next((kind for kind, words in self.words.items() if word in words), None)
                    if kind:
                        said[kind][row, end - 1], free = self.words[kind][word], end
                        break
        return said


def found_by_words(said, scenes, answers):
    """What the words of Said find in their scenes, (B, T) as these: where it is one object "found_colours" of the name,
    "found_names" of the colour and "found_frames" (B, T, 4), a negative number where nothing is; "found_counts", how many
    there are of the name, or of all. answers: the Thing that a word for a side finds, or None, of each scene."""
    found = {"found_names": torch.full_like(said["said_names"], -1), "found_colours": torch.full_like(said["said_names"], -1),
             "found_frames": torch.full((*said["said_names"].shape, 4), -1.0),
             "found_counts": torch.full_like(said["said_names"], -1)}
    for row, (scene, answer) in enumerate(zip(scenes, answers)):
        for at, (name, colour, side, all_) in enumerate(zip(*(said[kind][row].tolist() for kind in said))):
            alike = [t for t in scene.things if name_label(t) == name or colour_label(t) == colour > 0]
            if name > 0 or all_ > 0:
                found["found_counts"][row, at] = len(alike) if name > 0 else len(scene.things)
            if side > 0 and answer:
                alike = [answer]
            if len(alike) == 1:
                if name > 0:
                    found["found_colours"][row, at] = colour_label(alike[0])
                else:
                    found["found_names"][row, at] = name_label(alike[0])
                found["found_frames"][row, at] = torch.tensor(alike[0].box)
    return found


def related(words, scene):
    """float (4,): whether the first object of (x, relation, y) is left of, right of, above and below the last: 1, 0, or -1 where
    that is doubtful, or where the words say no relation."""
    if len(words) != 3:
        return torch.full((len(RELATIONS),), -1.0)
    x, y = (next(t for t in scene.things if t.name == name) for name in (words[0], words[2]))
    return torch.tensor([1.0 if holds(x, r, y) else -1.0 if may_hold(x, r, y) else 0.0 for r in RELATIONS])


# Whoever never meets a red banana learns that a red thing is no banana. What is held out must therefore not count as a wrong
# answer either: the losses leave it out of the choice.
HELD_OUT_COLOURS = torch.tensor([[False] * (1 + len(OBJECT_NAMES))] + [
    [False] + [colour_is_held_out(colour, name) for name in OBJECT_NAMES] for colour in COLOUR_NAMES])  # (1 + colours, 1 + names)


def held_out_answers(question):
    """bool (N answers): those that training can never hear to this question, as the composition they complete is held out."""
    out = torch.zeros(len(ANSWERS), dtype=torch.bool)
    if question.kind == "which":
        out[names_in_answers()] = torch.tensor([colour_is_held_out(question.words[0], name) for name in OBJECT_NAMES])
    elif question.kind == "colour":
        out[[ANSWERS.index(c) for c in COLOUR_NAMES]] = torch.tensor(
            [colour_is_held_out(c, question.words[1]) for c in COLOUR_NAMES])
    elif question.kind == "beside":
        _, relation, other = question.words
        out[names_in_answers()] = torch.tensor([relation_is_held_out(name, relation, other) for name in OBJECT_NAMES])
    out[ANSWERS.index(question.answer)] = False
    return out


def names_in_answers():
    return [ANSWERS.index(name) for name in OBJECT_NAMES]
