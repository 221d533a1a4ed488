"""Which heads are fine-tuned together on one trunk, from what, and what of the trunk stays as it was pre-trained."""
import re

from .finetune_aids import Shown
from .finetune_batches import QUESTION_SHARES, LabelBatches, SceneBatches, SoundBatches
from .finetune_sound_reader import set_apart
from .finetune_sound_start import start_with_words
from .finetune_tasks import Answering, Choice, Grounding, Segmentation
from .material.batches import batches
from .material.mixtures import EVENTS
from .material.objects import CLASSES
from .material.questions import ANSWERS, OBJECT_NAMES
from .material.sound_questions import SoundQuestions
from .onepeace.heads import Head
from .schedule import Average


def layer_of(name):
    """The index of the layer that a tensor of an encoder belongs to, or None."""
    place = re.search(r"(?:fusion_model\.layers|rel_pos_table_list)\.(\d+)\.", name)
    return int(place.group(1)) if place else None


class Group:
    """`trunk`: which branches the shared encoder has; `first`: a head whose checkpoint holds all of them, to resume from;
    `shown`: the aid that reads tokens of scenes, or None."""

    shown = None

    def is_frozen(self, name, layers):
        """The largest tensor stays as it is, so that the bundle shares it with the retrieval model."""
        return "embed_tokens" in name

    def begin(self, encoder):
        """Changes a pre-trained encoder before it is trained; one that has been changed stays as it is."""

    def start(self, trainer):
        """What a trainer that begins from a pre-trained encoder may take from the material in closed form."""

    def batches(self, args, tokenizer, first_step, warm=False):
        draw = self.draw(args, tokenizer)
        return batches(draw.warm if warm else draw, args.seed, first_step, args.workers)


class Pictures(Group):
    """Grounding, questions, pairs and segmentation, all on scenes."""

    trunk, first = Head("nlvr2", "vl", 2, use_two_images=True), "grounding"
    shown = Shown

    def tasks(self):
        return [
            Grounding("grounding", Head("refcoco", "vl", 4, use_image_features=True)),
            Answering("picture-qa", Head("vqa", "vl", len(ANSWERS), use_pooler=True), list(ANSWERS)),
            Answering("pair-reasoning", Head("nlvr2", "vl", 2, use_two_images=True), ["true", "false"]),
            Segmentation("segmentation", Head("segment", "image", 1 + len(CLASSES)), ["background", *CLASSES]),
        ]

    def draw(self, args, tokenizer):
        return SceneBatches(tokenizer, args.batch, args.side, shares=args.shares)


class Upper(Group):
    """The lower half of a finished trunk stays as it is, so that a bundle shares it, and a step costs a third less."""

    def is_frozen(self, name, layers):
        layer = layer_of(name)
        return "adapter" in name if layer is None else layer < layers // 2


class Questions(Group):
    """Picture questions and pair reasoning on what `pictures` has trained (--trunk): grounding and masks stay as they are.

    Adapters and the first layer stay, so do the text networks of the lower half and the last layer's image network, which no
    answer reads: a bundle shares them.
    """

    trunk, first = Pictures.trunk, "picture-qa"
    shown = Shown

    def is_frozen(self, name, layers):
        layer = layer_of(name)
        if layer is None:
            return "adapter" in name
        return layer == 0 or "text_ffn" in name and layer < layers // 2 or "image_ffn" in name and layer == layers - 1

    def tasks(self):
        return [task for task in Pictures().tasks() if task.name in QUESTION_SHARES]

    def draw(self, args, tokenizer):
        return SceneBatches(tokenizer, args.batch, args.side, shares=args.shares or QUESTION_SHARES)


class Sounds(Upper):
    """Questions about sounds, on the lower half of the retrieval model."""

    trunk, first = Head("aqa", "al", 1), "sound-qa"

    def tasks(self):
        return [Choice("sound-qa", Head("aqa", "al", 1))]

    def begin(self, encoder):
        set_apart(encoder)

    def start(self, trainer):
        trainer.model.cpu(), trainer.aids.cpu()
        start_with_words(trainer.model["sound-qa"], trainer.aids["sound-qa"], SoundQuestions(), trainer.tokenizer)
        trainer.model.to(trainer.device), trainer.aids.to(trainer.device)
        trainer.average = Average(trainer.model, trainer.average.decay)

    def draw(self, args, tokenizer):
        return SoundBatches(tokenizer, args.batch)


class Labels(Group):
    """Classification of pictures and of sounds. The trunk stays as it is, so that these heads cost a bundle next to nothing."""

    trunk, first = Head("labels", "val", 1), "picture-class"

    def tasks(self):
        return [Answering("picture-class", Head("image_classify", "image", len(OBJECT_NAMES)), list(OBJECT_NAMES)),
                Answering("sound-class", Head("vggsound", "audio", len(EVENTS)), list(EVENTS))]

    def is_frozen(self, name, layers):
        return True

    def draw(self, args, tokenizer):
        return LabelBatches(args.batch, args.side)


GROUPS = {"pictures": Pictures(), "questions": Questions(), "sounds": Sounds(), "labels": Labels()}
