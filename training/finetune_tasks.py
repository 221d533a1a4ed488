"""The tasks that finetune.py trains: for each its head, labels and loss (§13.5). finetune_batches.py makes the inputs."""
from dataclasses import dataclass, field
from typing import Optional

import torch
from torch import nn
import torch.nn.functional as F

from .finetune_aids import Compared, box_loss, comparing_loss, pooled_weights, pooling_loss
from .finetune_sound_aids import Heard, answer_loss, listening_loss
from .finetune_sound_reader import read
from .onepeace.heads import Head
from .onepeace.tokenizer import PAD


ARGUMENTS = ("ids", "images", "images_2", "waves")  # of a model; what else is drawn is what it should say


@dataclass
class Task:
    """`loss(model, aid, inputs)` -> (loss, accuracy), both scalars. `aid`: a module that only helps training, or None. `terms`:
    {name: scalar} of what else the log shows of the last loss."""

    name: str
    head: Head
    labels: Optional[list] = None
    terms: dict = field(default_factory=dict)

    def aid(self, dim):
        return None


class Grounding(Task):
    """ids, images, boxes (B, 4), inside (B, g²): the part of each patch that the object covers."""

    def aid(self, dim):
        """Says of each picture token whether it lies in the object meant: learnt patch by patch, not box by box."""
        return nn.Linear(dim, 1)

    def loss(self, model, aid, inputs):
        logits = model(ids=inputs["ids"], images=inputs["images"])
        loss, accuracy = box_loss(logits, inputs["boxes"])
        tokens = model.hidden["image"][:, 1:]
        loss = loss + 2 * F.binary_cross_entropy_with_logits(aid(tokens).squeeze(-1).float(), inputs["inside"])
        inside = inputs["inside"] > 0.5 * inputs["inside"].amax(1, keepdim=True)
        return loss + 0.5 * pooling_loss(pooled_weights(model.classify_head.attn_pooling_func, tokens), inside), accuracy


class Answering(Task):
    """Cross entropy over a fixed list of answers; inputs hold the model's arguments and answers int64 (B,), where something is
    asked of scenes also `impossible` bool (B, N): answers that count neither as right nor as wrong."""

    def aid(self, dim):
        return Compared(dim) if self.head.pooled == "text" else None

    def loss(self, model, aid, inputs):
        head = model.classify_head
        pooled = []
        hook = head.norm.register_forward_hook(lambda _m, _i, out: pooled.append(out))
        logits = model(**{k: v for k, v in inputs.items() if k in ARGUMENTS}).float()
        hook.remove()
        right = logits.argmax(1).eq(inputs["answers"]).float().mean()
        if "impossible" in inputs:
            logits = logits.masked_fill(inputs["impossible"], float("-inf"))
        loss = F.cross_entropy(logits, inputs["answers"])
        if "said_names" in inputs:
            weights = pooled_weights(head.attn_pooling_func, model.hidden["text"][:, 1:], inputs["ids"].eq(PAD))
            loss = loss + 3 * comparing_loss(weights, inputs) + aid.loss(pooled[0], inputs["related"])
        return loss, right


BACKGROUND_WEIGHT = 0.3  # most of a scene is background, and mean IoU counts every class alike


class Segmentation(Task):
    """images, masks int64 (B, 4g, 4g) of class indices, 0 = background."""

    def loss(self, model, aid, inputs):
        logits = model(images=inputs["images"]).float()
        right = logits.argmax(1).eq(inputs["masks"])
        weights = logits.new_ones(logits.shape[1])
        weights[0] = BACKGROUND_WEIGHT
        return F.cross_entropy(logits, inputs["masks"], weights), right[inputs["masks"] > 0].float().mean()


class Choice(Task):
    """One score for each (sound, question and answer): ids (nB, T), n in a row share one of waves (B, samples); right int64 (B,).

    Cross entropy over the n; the official hinge (§13.5) asks the same, but learns more slowly at this size.
    """

    def aid(self, dim):
        return Heard(dim)

    def loss(self, model, aid, inputs):
        heard, padding = read(model.encoder_wrapper, inputs["ids"], inputs["waves"]), inputs["ids"].eq(PAD)
        scores = model.classify_head([heard.text[:, 1:]], padding).float().view(len(inputs["waves"]), -1)
        loss = F.cross_entropy(scores, inputs["right"])
        right = scores.argmax(1).eq(inputs["right"]).float().mean()
        if "said_names" in inputs:
            weights = pooled_weights(model.classify_head.attn_pooling_func, heard.text[:, 1:], padding)
            shown, pointing = aid.loss(heard, inputs), sum(listening_loss(part, inputs) for part in heard.attended)
            self.terms = {"choice": loss.detach(), "pointing": pointing.detach(), "shown": shown.detach()}
            loss = loss + 2 * answer_loss(weights, inputs) + shown + pointing
        return loss, right
