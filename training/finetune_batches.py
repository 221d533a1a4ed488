"""Batches for finetune.py: drawn scenes and clips as the tensors that each task's loss takes, {task: {name: tensor}}."""
import numpy as np
import torch
from torch import nn

from .finetune_labels import LEAST_OF_OBJECT, Said, covered_patches, found_by_words, held_out_answers, related, shown_in_patches
from .finetune_sound_labels import heard_in_frames, said_in_text
from .material.clips import Clips, normalise
from .material.mixtures import EVENTS
from .material.pairs import PicturePairs
from .material.phrases import Grounding
from .material.pictures import Pictures
from .material.questions import ANSWERS, OBJECT_NAMES, PictureQuestions
from .material.scenes import Scenes, enlarged, normalised
from .material.sound_questions import SoundQuestions
from .material.splits import load_splits
from .material.sprites import EMOJI_STYLES
from .onepeace.tokenizer import PAD
from .tokens import token_batch

MAX_PHRASE_IDS = 24
TONED_SHARE = 0.4  # of the objects without colour
KIND_SHARES = {"exists": 0.6, "coloured": 0.6, "relation": 1.2, "side": 0.8, "size": 0.6, "count": 2.2, "total": 1.2, "colour": 0.6,
               "kind": 1.2, "which": 1.8, "beside": 2}  # of the questions: what is harder is asked more often
DRAWN_PX = 128  # side of the scenes, as in the benchmark; models of larger pictures see them enlarged
PICTURE_SHARES = {"grounding": 1, "picture-qa": 1, "pair-reasoning": 1 / 8, "segmentation": 1 / 4}  # of a batch
LENGTHS_S, LENGTH_SHARES = (2, 3), (0.6, 0.4)  # of the sounds with questions
SOUND_SHARES = {"heard": 0.4, "first": 0.8, "last": 1, "after": 2.4, "absent": 1.2, "loudest": 1.4, "count": 2.4, "word": 2.5,
                "first word": 2}  # of the questions about sounds: what is harder is asked more often
QUESTION_SHARES = {"picture-qa": 1, "pair-reasoning": 1 / 8}
TEXT_STEP = 4  # lengths are rounded up to this, so that kernels meet few shapes


def padded(tokenizer, texts):
    """[str] -> int64 (B, T), right padded."""
    ids = token_batch(tokenizer, texts, MAX_PHRASE_IDS)
    return nn.functional.pad(ids, (0, -ids.shape[1] % TEXT_STEP), value=PAD)


class SceneBatches:
    """Each call draws one batch for every task on pictures. shares {task: part of `batch`}: without the others."""

    def __init__(self, tokenizer, batch, side, scenes=None, shares=None):
        self.tokenizer, self.batch, self.side, self.said = tokenizer, batch, side, Said(tokenizer)
        self.drawn = min(side, DRAWN_PX)
        self.scenes = scenes = scenes or Scenes(toned=TONED_SHARE)
        self.phrases, self.questions, self.pairs = Grounding(scenes), PictureQuestions(scenes), PicturePairs(scenes)
        self.rows = {task: max(1, round(share * batch)) for task, share in (shares or PICTURE_SHARES).items()}

    def __call__(self, rng):
        of = {"grounding": self.boxes, "picture-qa": self.answers, "pair-reasoning": self.statements,
              "segmentation": self.masks}
        return {task: of[task](rng, rows) for task, rows in self.rows.items()}

    def answers(self, rng, rows):
        kinds = rng.choice(list(KIND_SHARES), size=rows, p=np.array(list(KIND_SHARES.values())) / sum(KIND_SHARES.values()))
        asked = [self.questions.one(rng, self.drawn, str(kind)) for kind in kinds]
        scenes = self.enlarged(q.scene for q in asked)
        found = [next(t for t in scene.things if t.name == q.answer) if q.kind == "beside" else None
                 for q, scene in zip(asked, scenes)]
        return {**self.seen(scenes), **self.texts([q.text for q in asked], scenes, found),
                "related": torch.stack([related(q.words if q.kind in ("relation", "side") else (), q.scene) for q in asked]),
                "impossible": torch.stack([held_out_answers(q) for q in asked]),
                "answers": torch.tensor([ANSWERS.index(q.answer) for q in asked])}

    def statements(self, rng, rows):
        """Labels are of the left picture; a side is mostly that of a picture here, and finds nothing."""
        said = [self.pairs.one(rng, self.drawn) for _ in range(rows)]
        lefts, rights = (self.enlarged(getattr(s, where) for s in said) for where in ("left", "right"))
        texts = self.texts([s.text for s in said], lefts)
        return {**self.seen(lefts), "images_2": normalised([s.picture for s in rights]), **texts,
                "said_sides": torch.full_like(texts["said_sides"], -1), "related": torch.full((rows, 4), -1.0),
                "answers": torch.tensor([s.label for s in said])}

    def warm(self, rng):
        """Twice as many scenes, for masks and patches alone."""
        return {"segmentation": self.masks(rng, 2 * self.batch)}

    def enlarged(self, scenes):
        return [enlarged(scene, self.side) for scene in scenes]

    def seen(self, scenes):
        """The pictures, and what is shown in each patch."""
        shown = [shown_in_patches(scene) for scene in scenes]
        return {"images": normalised([s.picture for s in scenes]), **{k: torch.stack([x[k] for x in shown]) for k in shown[0]}}

    def texts(self, texts, scenes, answers=None):
        """The ids, what their tokens say, and what that finds in the scenes; "meant" bool (B, g²), the patches of what a word
        for a side finds. answers: that Thing of each scene, or None."""
        answers = answers or [None] * len(scenes)
        ids = padded(self.tokenizer, texts)
        said = self.said(ids)
        nothing = torch.zeros((self.side // 16) ** 2, dtype=torch.bool)
        meant = [covered_patches(thing.mask) > LEAST_OF_OBJECT if thing else nothing for thing in answers]
        return {"ids": ids, **said, **found_by_words(said, scenes, answers), "meant": torch.stack(meant)}

    def boxes(self, rng, rows):
        drawn, phrases = zip(*(self.phrases.one(rng, self.drawn) for _ in range(rows)))
        scenes = self.enlarged(drawn)
        meant = [scene.things[phrase.index] for scene, phrase in zip(scenes, phrases)]
        return {**self.seen(scenes), **self.texts([phrase.text for phrase in phrases], scenes),
                "boxes": torch.tensor([t.box for t in meant], dtype=torch.float32),
                "inside": torch.stack([covered_patches(t.mask) for t in meant])}

    def masks(self, rng, rows):
        scenes = self.enlarged(self.scenes.draw(rng, self.drawn) for _ in range(rows))
        masks = torch.stack([torch.from_numpy(s.coarse_labels().astype("int64")) for s in scenes])
        return {**self.seen(scenes), "masks": masks}


class SoundBatches:
    """Sounds with a question and its four candidate answers, and what is heard and said as labels."""

    def __init__(self, tokenizer, batch, questions=None):
        self.tokenizer, self.batch, self.questions = tokenizer, batch, questions or SoundQuestions()

    def __call__(self, rng):
        seconds = LENGTHS_S[rng.choice(len(LENGTHS_S), p=LENGTH_SHARES)]
        kinds = rng.choice(list(SOUND_SHARES), size=self.batch, p=np.array(list(SOUND_SHARES.values())) / sum(SOUND_SHARES.values()))
        asked = [self.questions.one(rng, seconds, str(kind)) for kind in kinds]
        rows = [(question, candidate) for question in asked for candidate in question.candidates]
        ids = padded(self.tokenizer, [f"{q.text} answer: {candidate}" for q, candidate in rows])  # AVQA's form (§10)
        said = [said_in_text(self.tokenizer, *row, ids.shape[1]) for row in rows]
        heard = [heard_in_frames(question) for question in asked]
        waves = torch.from_numpy(np.stack([normalise(q.wave) for q in asked]).astype(np.float32))
        return {"sound-qa": {"ids": ids, "waves": waves, "right": torch.tensor([q.right for q in asked]),
                             "lengths": ids.ne(PAD).sum(1) - 1,
                             **{k: torch.stack([x[k] for x in said]) for k in said[0]},
                             **{k: torch.stack([x[k] for x in heard]) for k in heard[0]}}}


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
