"""Batches for finetune.py: drawn scenes and clips as the tensors that each task's loss takes, {task: {name: tensor}}."""
import torch
from torch import nn

from .material.clips import Clips
from .material.mixtures import EVENTS
from .material.objects import COLOURS
from .material.pairs import PicturePairs
from .material.phrases import Grounding
from .material.pictures import Pictures
from .material.questions import ANSWERS, OBJECT_NAMES, PictureQuestions, plural
from .material.scenes import Scenes, normalised
from .material.sound_questions import SoundQuestions
from .material.splits import load_splits
from .material.sprites import EMOJI_STYLES
from .onepeace.tokenizer import PAD
from .tokens import token_batch

MAX_PHRASE_IDS = 24
MOST_OF_BACKGROUND, LEAST_OF_OBJECT = 0.05, 0.3  # covered parts of a patch that count as background and as an object
COLOUR_NAMES = tuple(COLOURS)
PICTURE_SHARES = {"grounding": 1, "picture-qa": 1, "pair-reasoning": 1 / 8, "segmentation": 1 / 4}  # of a batch
TEXT_STEP = 4  # lengths are rounded up to this, so that kernels meet few shapes


def padded(tokenizer, texts):
    """[str] -> int64 (B, T), right padded."""
    ids = token_batch(tokenizer, texts, MAX_PHRASE_IDS)
    return nn.functional.pad(ids, (0, -ids.shape[1] % TEXT_STEP), value=PAD)


def covered_patches(mask, patch=16):
    """bool (S, S) -> float (g²,): the part of each patch that is covered, row-major."""
    side = mask.shape[0] // patch
    return torch.from_numpy(mask).float().view(side, patch, side, patch).mean((1, 3)).flatten()


def shown_in_patches(scene, patch=16):
    """{"names", "colours": int64 (g²,)}: what fills a patch, 0 for background (no colour), 1 + index, -1 where mixed; and
    "frames" (g², 4), the box of that object."""
    side = scene.picture.shape[0] // patch
    names, colours = torch.zeros(side * side, dtype=torch.long), torch.full((side * side,), -1)
    frames = torch.zeros(side * side, 4)
    covered = [covered_patches(thing.mask, patch) for thing in scene.things]
    names[torch.stack(covered).sum(0) > MOST_OF_BACKGROUND] = -1
    for thing, part in zip(scene.things, covered):
        mine = part > LEAST_OF_OBJECT
        names[mine] = 1 + OBJECT_NAMES.index(thing.name)
        colours[mine] = 1 + COLOUR_NAMES.index(thing.colour) if thing.colour else 0
        frames[mine] = torch.tensor(thing.box, dtype=torch.float32)
    return {"names": names, "colours": colours, "frames": frames}


class Said:
    """Which tokens of a text say the name or the colour of an object: the last one of such a word."""

    def __init__(self, tokenizer):
        ids = lambda word: tuple(tokenizer(word)[:-1])
        self.names = {ids(form): 1 + i for i, name in enumerate(OBJECT_NAMES) for form in (name, plural(name))}
        self.colours = {ids(colour): 1 + i for i, colour in enumerate(COLOUR_NAMES)}
        self.longest = max(map(len, (*self.names, *self.colours)))

    def __call__(self, ids):
        """int64 (B, T) -> {"said_names", "said_colours": int64 (B, T)}, -1 where nothing is said."""
        names, colours = torch.full_like(ids, -1), torch.full_like(ids, -1)
        for row, tokens in enumerate(ids.tolist()):
            for end in range(1, len(tokens) + 1):
                for start in range(max(0, end - self.longest), end):
                    word = tuple(tokens[start:end])
                    if word in self.names or word in self.colours:
                        names[row, end - 1] = self.names.get(word, -1)
                        colours[row, end - 1] = self.colours.get(word, -1)
                        break
        return {"said_names": names, "said_colours": colours}


def found_by_words(said, scenes):
    """What the words of Said find in their scenes, (B, T) as these, where it is one object: "found_colours" of the name, 0 for
    artwork as it is; "found_names" of the colour; -1 else; and "found_frames" (B, T, 4), a negative number where nothing is."""
    found = {"found_names": torch.full_like(said["said_names"], -1), "found_colours": torch.full_like(said["said_names"], -1),
             "found_frames": torch.full((*said["said_names"].shape, 4), -1.0)}
    for row, scene in enumerate(scenes):
        shown = [(1 + OBJECT_NAMES.index(t.name), 1 + COLOUR_NAMES.index(t.colour) if t.colour else 0, t.box) for t in scene.things]
        for at, (name, colour) in enumerate(zip(said["said_names"][row].tolist(), said["said_colours"][row].tolist())):
            alike = [thing for thing in shown if thing[0] == name or thing[1] == colour > 0]
            if len(alike) == 1:
                which = "found_colours" if name > 0 else "found_names"
                found[which][row, at] = alike[0][1 if name > 0 else 0]
                found["found_frames"][row, at] = torch.tensor(alike[0][2])
    return found


class SceneBatches:
    """Each call draws one batch for every task on pictures. shares {task: part of `batch`}: without the others."""

    def __init__(self, tokenizer, batch, side, scenes=None, shares=None):
        self.tokenizer, self.batch, self.side, self.said = tokenizer, batch, side, Said(tokenizer)
        self.scenes = scenes = scenes or Scenes()
        self.phrases, self.questions, self.pairs = Grounding(scenes), PictureQuestions(scenes), PicturePairs(scenes)
        self.rows = {task: max(1, round(share * batch)) for task, share in (shares or PICTURE_SHARES).items()}

    def __call__(self, rng):
        of = {"grounding": self.boxes, "picture-qa": self.answers, "pair-reasoning": self.statements,
              "segmentation": lambda rng, rows: self.masks([self.scenes.draw(rng, self.side) for _ in range(rows)])}
        return {task: of[task](rng, rows) for task, rows in self.rows.items()}

    def answers(self, rng, rows):
        asked = [self.questions.one(rng, self.side) for _ in range(rows)]
        return {**self.seen([q.scene for q in asked]), **self.texts([q.text for q in asked], [q.scene for q in asked]),
                "answers": torch.tensor([ANSWERS.index(q.answer) for q in asked])}

    def statements(self, rng, rows):
        said = [self.pairs.one(rng, self.side) for _ in range(rows)]
        return {**self.seen([s.left for s in said]), "images_2": normalised([s.right.picture for s in said]),
                **self.texts([s.text for s in said], [s.left for s in said]), "answers": torch.tensor([s.label for s in said])}

    def warm(self, rng):
        """Twice as many scenes, for masks and patches alone."""
        return {"segmentation": self.masks([self.scenes.draw(rng, self.side) for _ in range(2 * self.batch)])}

    def seen(self, scenes):
        """The pictures, and what is shown in each patch."""
        shown = [shown_in_patches(scene) for scene in scenes]
        return {"images": normalised([s.picture for s in scenes]), **{k: torch.stack([x[k] for x in shown]) for k in shown[0]}}

    def texts(self, texts, scenes):
        """The ids, what their tokens say, and what that finds in the scenes."""
        ids = padded(self.tokenizer, texts)
        said = self.said(ids)
        return {"ids": ids, **said, **found_by_words(said, scenes)}

    def boxes(self, rng, rows):
        drawn = [self.phrases.one(rng, self.side) for _ in range(rows)]
        meant = [scene.things[phrase.index] for scene, phrase in drawn]
        return {**self.seen([s for s, _ in drawn]), **self.texts([p.text for _, p in drawn], [s for s, _ in drawn]),
                "boxes": torch.tensor([t.box for t in meant], dtype=torch.float32),
                "inside": torch.stack([covered_patches(t.mask) for t in meant])}

    def masks(self, scenes):
        masks = torch.stack([torch.from_numpy(s.coarse_labels().astype("int64")) for s in scenes])
        return {**self.seen(scenes), "masks": masks}


class SoundBatches:
    """Sounds with a question and four candidate answers."""

    def __init__(self, tokenizer, batch, questions=None):
        self.tokenizer, self.batch, self.questions = tokenizer, batch, questions or SoundQuestions()

    def __call__(self, rng):
        waves, questions, candidates, right = self.questions.draw(self.batch, rng)
        texts = [f"{q} answer: {answer}" for q, four in zip(questions, candidates) for answer in four]  # AVQA's form (§10)
        return {"sound-qa": {"ids": padded(self.tokenizer, texts), "waves": waves, "right": right}}


class LabelBatches:
    """Single objects in training styles, and single sound events, with the index of their label."""

    def __init__(self, batch, side, pictures=None, clips=None):
        self.batch, self.side = batch, side
        self.pictures = pictures or Pictures(EMOJI_STYLES)
        self.clips = clips or Clips({"sounds": 1.0})
        names = {o["hexcode"]: o["name"] for o in load_splits()["objects"]}
        cldr = {e["name"].lower(): names[e["hexcode"]] for e in load_splits()["names"] if e["hexcode"] in names}
        self.object_of = {self.pictures.concepts[name]: OBJECT_NAMES.index(word) for name, word in cldr.items()}
        self.pictures.keep(self.object_of)
        self.event_of = {self.clips.concepts[name.lower()]: i for i, name in enumerate(EVENTS)}

    def __call__(self, rng):
        images, _, concepts = self.pictures.draw(self.batch, self.side, rng)
        waves, rows = self.clips.draw(self.batch // 2, rng)
        events = [self.event_of[self.clips.texts[row][1]] for row in rows.tolist()]
        return {"picture-class": {"images": images, "answers": torch.tensor([self.object_of[int(c)] for c in concepts])},
                "sound-class": {"waves": waves, "answers": torch.tensor(events)}}
