"""Losses that help the tasks on scenes, all dropped after training. finetune_labels.py says what the labels mean.

    text ─► words ──┐ attention two thirds up: words ⇄ patches (`pointing_loss`)
                    ├─► what words find: names, colours, boxes, counts (`Shown`) ─► pooling: which words (`pooling_loss`)
    picture ► patches ┘ (`Shown`)                                                       └► where one is from the other (`Compared`)

From whole answers alone a model of this size hardly begins to learn: each step of the circuit gets a loss of its own.
"""
import torch
from torch import nn
import torch.nn.functional as F

from .finetune_labels import HELD_OUT_COLOURS, COLOUR_NAMES
from .material.objects import RELATIONS
from .material.questions import OBJECT_NAMES
from .material.scenes import MOST_OBJECTS
from .onepeace.tokenizer import PAD


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


def pooled_weights(pooling, tokens, padding=None):
    """The logarithm of the weights (B, n, H) that an AttentionPooling gives to tokens (B, n, D); padding bool (B, n)."""
    scores = (pooling.q * pooling.k_proj(tokens).unflatten(2, pooling.q.shape[2:])).sum(-1).float()
    scores = scores if padding is None else scores.masked_fill(padding[..., None], float("-inf"))
    return torch.log_softmax(scores, dim=1)


def pooling_loss(weights, meant):
    """Minus the logarithm of the weight (B, n, H) that pooling gives to what is meant, bool (B, n): left to itself, it long
    looks elsewhere, where the whole is summed up. Rows where nothing is meant do not count."""
    asked = meant.any(1)
    if not asked.any():
        return weights.new_zeros(())
    return -weights[asked].masked_fill(~meant[asked][..., None], float("-inf")).logsumexp(1).mean()


def words_meant(inputs):
    """bool (B, T) each: the first word that an answer needs, the word for a side (else the last), and the last word."""
    said = torch.stack([inputs[f"said_{kind}"] > 0 for kind in ("names", "colours", "sides", "all")]).any(0)
    nth = said.long().cumsum(1)
    first, last = said & (nth == 1), said & (nth == nth[:, -1:])
    sides = inputs["said_sides"] > 0
    return first, torch.where(sides.any(1, keepdim=True), sides, last), last


def comparing_loss(weights, inputs):
    """A third of the pooling's heads looks at each of `words_meant`: what is to be compared then stands side by side."""
    return sum(pooling_loss(part, meant) for part, meant in zip(weights.tensor_split(3, dim=2), words_meant(inputs))
               if part.shape[2]) / 3


class Compared(nn.Module):
    """Says of the pooled vector whether the first object is left of, right of, above and below the last."""

    def __init__(self, dim):
        super().__init__()
        self.relations = nn.Linear(dim, len(RELATIONS))

    def loss(self, pooled, related):
        """pooled (B, D), related float (B, 4) as finetune_labels.related."""
        asked = related >= 0
        if not asked.any():
            return 0.0
        return F.binary_cross_entropy_with_logits(self.relations(pooled).float()[asked], related[asked])


class Shown(nn.Module):
    """Beside every task on scenes: name, colour and box of what each patch shows, which a whole answer teaches only slowly.

    The same two classifiers read the words for them in the text: what is said and what is shown then look alike, and attention
    finds the one by the other. So at the end of the trunk and, behind a norm of its own, two thirds up, where the upper layers
    can make use of it. Words also say what they find, and how often.
    """

    def __init__(self, dim):
        super().__init__()
        self.middle_norm = nn.LayerNorm(dim)
        self.names, self.colours = nn.Linear(dim, 1 + len(OBJECT_NAMES)), nn.Linear(dim, 1 + len(COLOUR_NAMES))
        self.frames, self.middle_frames, self.centres = nn.Linear(dim, 4), nn.Linear(dim, 4), nn.Linear(dim, 1)
        self.counts = nn.Linear(dim, 1 + MOST_OBJECTS)

    def loss(self, hidden, middle, inputs):
        """hidden {modality: (B, T, D)}, CLS first; middle (B, T_text + T_image, D); inputs: labels of finetune_labels.py."""
        texts = 1 + inputs["ids"].shape[1] if "ids" in inputs else 0
        middle = self.middle_norm(middle)
        there = inputs["names"] > 0
        loss = self.told(hidden["image"], inputs["names"], inputs["colours"])
        loss = loss + 0.5 * self.told(middle[:, texts:], inputs["names"], inputs["colours"])
        loss = loss + self.framed(self.frames, hidden["image"], inputs["frames"], there)
        loss = loss + 0.5 * self.framed(self.middle_frames, middle[:, texts:], inputs["frames"], there)
        loss = loss + self.centred(middle[:, texts:], inputs["centres"])
        return loss + self.words(hidden["text"], middle[:, :texts], inputs) if texts else loss

    def words(self, text, middle, inputs):
        """What tokens (B, T, D) say, at the end and in the middle, and at the end what they find."""
        said = inputs["said_names"], inputs["said_colours"]
        loss = 0.5 * self.told(text, *said) + 0.5 * self.told(middle, *said)
        of_colours = self.told(text, inputs["found_names"], said[1], about_colours=False)
        of_names = self.told(text, said[0], inputs["found_colours"], about_names=False)
        loss = loss + of_colours + 0.5 * of_names
        asked = inputs["found_counts"] >= 0
        if asked.any():
            loss = loss + 0.5 * F.cross_entropy(self.counts(text[:, 1:][asked]).float(), inputs["found_counts"][asked])
        return loss + 0.5 * self.framed(self.frames, text, inputs["found_frames"], inputs["found_frames"][..., 0] >= 0)

    def framed(self, head, tokens, frames, asked):
        """The loss of boxes (B, n, 4) that tokens (B, 1 + n, D) say where asked (B, n)."""
        return box_loss(head(tokens[:, 1:][asked]), frames[asked])[0] if asked.any() else 0.0

    def centred(self, tokens, centres):
        """Whether a patch holds the centre of an object's box; both sides count alike."""
        logits, right = self.centres(tokens[:, 1:]).squeeze(-1).float(), (centres > 0).float()
        missed = F.binary_cross_entropy_with_logits(logits, right, reduction="none")
        return (missed * right).sum() / right.sum().clamp(min=1) + (missed * (1 - right)).sum() / (1 - right).sum()

    def told(self, tokens, names, colours, about_names=True, about_colours=True):
        """tokens (B, 1 + n, D), CLS first, against names and colours int64 (B, n). Names that are held out with the colour are
        no wrong answers, nor are such colours of the name."""
        held_out, loss = HELD_OUT_COLOURS.to(tokens.device), 0.0
        for about, head, right, other, table, weight in (
                (about_names, self.names, names, colours, held_out, 1.0),
                (about_colours, self.colours, colours, names, held_out.t(), 0.5)):
            asked = right >= 0
            if about and asked.any():
                impossible = table[other[asked].clamp(min=0)]
                logits = head(tokens[:, 1:][asked]).float().masked_fill(impossible, float("-inf"))
                loss = loss + weight * F.cross_entropy(logits, right[asked])
        return loss


NAMES, COLOURS, SIDES, COUNTS = range(4)  # which head of an attention does what


def pointing_loss(attention, x, inputs, patches_too=True):
    """Words should attend to the patches of what they name, and with `patches_too` patches to the word for what they show; to the
    other side's CLS where there is none. A word for a side looks at the answer, and one head spreads evenly over CLS and a patch
    of each object, so that CLS is left with 1 / (1 + number). Weights are of all tokens: what gets no weight beside the own
    side would pass nothing on.

    Attention between text and picture is not pre-trained, and from whole answers it emerges only late. attention: a
    SelfAttention; x (B, T_text + T_image, D), its input, each part with CLS first; inputs as for Shown, or Heard: then frames
    stand for patches.
    """
    texts = 1 + inputs["ids"].shape[1]
    split = lambda y: y.unflatten(2, (attention.heads, -1)).transpose(1, 2)  # (B, H, L, d)
    q, k = split(attention.q_proj(x if patches_too else x[:, :texts])), split(attention.k_proj(x))
    unseen = F.pad(inputs["ids"].eq(PAD), (1, x.shape[1] - texts), value=False)  # (B, L)

    def missed(head, rows=None):
        """Minus the logarithm of the weights of the first rows, (B, rows, L)."""
        scores = (q[:, head % attention.heads, :rows] @ k[:, head % attention.heads].transpose(1, 2)).float() * q.shape[-1] ** -0.5
        return -torch.log_softmax(scores.masked_fill(unseen[:, None], float("-inf")), dim=-1)

    loss = 0.0
    for kind, head in (("names", NAMES), ("colours", COLOURS)):
        if kind not in inputs:
            continue
        shown, said, weights = inputs[kind], inputs[f"said_{kind}"], missed(head)  # (B, g²), (B, T)
        match = (shown[:, :, None] == said[:, None, :]) & (said > 0)[:, None, :]  # (B, g², T)
        if patches_too:
            loss = loss + pointed(weights[:, texts + 1:, :texts], match, shown >= 0)
        loss = loss + pointed(weights[:, 1:texts, texts:], match.transpose(1, 2), said > 0)
    if "said_sides" in inputs and (inputs["said_sides"] > 0).any():
        answer = inputs["meant"][:, None].expand(-1, texts - 1, -1)
        loss = loss + pointed(missed(SIDES, texts)[:, 1:, texts:], answer, (inputs["said_sides"] > 0) & answer.any(2))
    return loss + spread(missed(COUNTS, texts)[:, 1:, texts:], inputs)


def pointed(missed, match, asked):
    """missed (B, n, 1 + m), minus the logarithm of the weights; match bool (B, n, m), asked bool (B, n): how unlikely a key
    that matches is, or the first one where none does; rows that have a match count as much as all others."""
    found = match.any(2)
    right = torch.cat([~found[:, :, None], match], dim=2)
    missed = -(-missed).masked_fill(~right, float("-inf")).logsumexp(-1)  # (B, n)
    return sum(missed[rows].mean() / 2 for rows in (asked & found, asked & ~found) if rows.any())


def spread(missed, inputs):
    """missed (B, T, 1 + g²): how far words whose objects are counted are from even weights of CLS and the objects' centres."""
    asked = inputs["found_counts"] >= 0
    if not asked.any():
        return 0.0
    centres = inputs["centres"][:, None]  # (B, 1, g²)
    counted = centres == inputs["said_names"][..., None]  # (B, T, g²)
    if "said_all" in inputs:
        counted = counted | (inputs["said_all"] > 0)[..., None]
    counted = counted & (centres > 0)
    even = F.pad(counted[asked].float(), (1, 0), value=1.0)
    even = even / even.sum(1, keepdim=True)
    return (even * (missed[asked] + even.clamp(min=1e-9).log())).sum(1).mean()
