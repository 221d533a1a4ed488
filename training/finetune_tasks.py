"""The tasks that finetune.py trains: for each its head, labels and loss (§13.5). finetune_batches.py makes the inputs."""
from dataclasses import dataclass
from typing import Optional

import torch
from torch import nn
import torch.nn.functional as F

from .material.objects import COLOURS
from .material.questions import OBJECT_NAMES
from .onepeace.heads import Head
from .onepeace.tokenizer import PAD


ARGUMENTS = ("ids", "images", "images_2", "waves")  # of a model; what else is drawn is what it should say


@dataclass
class Task:
    """`loss(model, aid, inputs)` -> (loss, accuracy), both scalars. `aid`: a module that only helps training, or None."""

    name: str
    head: Head
    labels: Optional[list] = None

    def aid(self, dim):
        return None


def box_iou(a, b):
    """(B, 4) x0, y0, x1, y1 each -> IoU and the share of the common hull that is covered (B,)."""
    area = lambda box: (box[:, 2:] - box[:, :2]).clamp(min=0).prod(1)
    both = (torch.minimum(a[:, 2:], b[:, 2:]) - torch.maximum(a[:, :2], b[:, :2])).clamp(min=0).prod(1)
    either = area(a) + area(b) - both
    hull = (torch.maximum(a[:, 2:], b[:, 2:]) - torch.minimum(a[:, :2], b[:, :2])).clamp(min=0).prod(1)
    return both / either.clamp(min=1e-6), either / hull.clamp(min=1e-6)


def box_loss(logits, boxes):
    """sum |sigmoid - target| / B + mean (1 - GIoU) over the predictions in order; also the share with IoU >= 0.5."""
    predicted = logits.float().sigmoid()
    iou, covered = box_iou(predicted, boxes)
    ordered = (predicted[:, 0] < predicted[:, 2]) & (predicted[:, 1] < predicted[:, 3])
    overlap = (1 - (iou - (1 - covered)))[ordered]
    distance = (predicted - boxes).abs().sum() / len(boxes)
    return distance + (overlap.mean() if len(overlap) else 0.0), ((iou >= 0.5) & ordered).float().mean()


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
        return loss + 0.5 * pooling_loss(model.classify_head.attn_pooling_func, tokens, inputs["inside"]), accuracy


def pooling_loss(pooling, tokens, inside):
    """Minus the logarithm of the weight that pooling gives to the object meant: left to itself, it long looks elsewhere, where
    the picture as a whole is summed up. tokens (B, g², D), inside (B, g²)."""
    scores = (pooling.q * pooling.k_proj(tokens).unflatten(2, pooling.q.shape[2:])).sum(-1).float()  # (B, g², H)
    meant = inside > 0.5 * inside.amax(1, keepdim=True)
    return -torch.log_softmax(scores, dim=1).masked_fill(~meant[..., None], float("-inf")).logsumexp(1).mean()


class Shown(nn.Module):
    """Beside every task on scenes: name, colour and box of what each patch shows, which a whole answer teaches only slowly.

    The same two classifiers read the words for them in the text: what is said and what is shown then look alike, and attention
    finds the one by the other. So at the end of the trunk and, behind a norm of its own, two thirds up, where the upper layers
    can make use of it.
    """

    def __init__(self, dim):
        super().__init__()
        self.middle_norm = nn.LayerNorm(dim)
        self.names, self.colours = nn.Linear(dim, 1 + len(OBJECT_NAMES)), nn.Linear(dim, 1 + len(COLOURS))
        self.frames = nn.Linear(dim, 4)

    def loss(self, hidden, middle, inputs):
        """hidden {modality: (B, T, D)}, CLS first; middle (B, T_text + T_image, D). names and colours int64 (B, g²), said_names
        and said_colours (B, T), -1 where nothing is asked; frames (B, g², 4), the boxes of what is shown; what words find as
        finetune_batches.found_by_words says."""
        texts = 1 + inputs["ids"].shape[1] if "ids" in inputs else 0
        middle = self.middle_norm(middle)
        loss = self.told(hidden["image"], inputs, "") + 0.5 * self.told(middle[:, texts:], inputs, "")
        if texts:
            loss = loss + 0.5 * self.told(hidden["text"], inputs, "said_") + 0.5 * self.told(middle[:, :texts], inputs, "said_")
            loss = loss + 0.5 * self.told(hidden["text"], inputs, "found_")
            loss = loss + 0.5 * self.framed(hidden["text"], inputs["found_frames"], inputs["found_frames"][..., 0] >= 0)
        return loss + self.framed(hidden["image"], inputs["frames"], inputs["names"] > 0)

    def framed(self, tokens, frames, asked):
        """The loss of boxes (B, n, 4) that tokens (B, 1 + n, D) say where asked (B, n)."""
        return box_loss(self.frames(tokens[:, 1:][asked]), frames[asked])[0] if asked.any() else 0.0

    def told(self, tokens, inputs, prefix):
        """tokens (B, 1 + n, D), CLS first, against the labels (B, n)."""
        loss = 0.0
        for kind, head, weight in (("names", self.names, 1.0), ("colours", self.colours, 0.5)):
            asked = inputs[prefix + kind] >= 0
            if asked.any():
                loss = loss + weight * F.cross_entropy(head(tokens[:, 1:][asked]).float(), inputs[prefix + kind][asked])
        return loss


POINTING = {"names": 0, "colours": 1}  # which head of an attention


def pointing_loss(attention, x, inputs):
    """Patches should attend to the word for what they show, and such words to the patches; to the other side's CLS where there
    is none. Weights are of all tokens: what gets no weight beside the own side would pass nothing on.

    Attention between text and picture is not pre-trained, and from whole answers it emerges only late. attention: a
    SelfAttention; x (B, T_text + T_image, D), its input, each part with CLS first; inputs as for Shown.
    """
    texts = 1 + inputs["ids"].shape[1]
    split = lambda y: y.unflatten(2, (attention.heads, -1)).transpose(1, 2)  # (B, H, L, d)
    q, k = split(attention.q_proj(x)), split(attention.k_proj(x))
    unseen = F.pad(inputs["ids"].eq(PAD), (1, x.shape[1] - texts), value=False)  # (B, L)
    loss = 0.0
    for kind, head in POINTING.items():
        shown, said = inputs[kind], inputs[f"said_{kind}"]  # (B, g²), (B, T)
        match = (shown[:, :, None] == said[:, None, :]) & (said > 0)[:, None, :]  # (B, g², T)
        scores = (q[:, head] @ k[:, head].transpose(1, 2)).float() * q.shape[-1] ** -0.5
        missed = -torch.log_softmax(scores.masked_fill(unseen[:, None], float("-inf")), dim=-1)  # (B, L, L)
        loss = loss + pointed(missed[:, texts + 1:, :texts], match, shown >= 0)
        loss = loss + pointed(missed[:, 1:texts, texts:], match.transpose(1, 2), said > 0)
    return loss


def pointed(missed, match, asked):
    """missed (B, n, 1 + m), minus the logarithm of the weights; match bool (B, n, m), asked bool (B, n): how unlikely a key
    that matches is, or the first one where none does; rows that have a match count as much as all others."""
    found = match.any(2)
    right = torch.cat([~found[:, :, None], match], dim=2)
    missed = -(-missed).masked_fill(~right, float("-inf")).logsumexp(-1)  # (B, n)
    return sum(missed[rows].mean() / 2 for rows in (asked & found, asked & ~found) if rows.any())


class Answering(Task):
    """Cross entropy over a fixed list of answers; inputs hold the model's arguments and answers int64 (B,)."""

    def loss(self, model, aid, inputs):
        logits = model(**{k: v for k, v in inputs.items() if k in ARGUMENTS}).float()
        loss = F.cross_entropy(logits, inputs["answers"])
        if "said_names" in inputs:
            said = (inputs["said_names"] > 0) | (inputs["said_colours"] > 0)  # (B, T)
            asked = said.any(1)
            tokens = model.hidden["text"][:, 1:]
            loss = loss + 0.2 * pooling_loss(model.classify_head.attn_pooling_func, tokens[asked], said[asked].float())
        return loss, logits.argmax(1).eq(inputs["answers"]).float().mean()


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
    """One score for each (sound, question and answer): ids (4B, T), four in a row share a sound; right int64 (B,).

    Cross entropy over the four; the official hinge (§13.5) asks the same, but learns more slowly at this size.
    """

    def loss(self, model, aid, inputs):
        frames = model.encoder_wrapper.audio_adapter.embed_audios(inputs["waves"])  # (B, T, D), once for the four
        scores = model(ids=inputs["ids"], waves=frames.repeat_interleave(4, 0)).float().view(-1, 4)
        return F.cross_entropy(scores, inputs["right"]), scores.argmax(1).eq(inputs["right"]).float().mean()
