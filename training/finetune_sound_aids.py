"""`Heard`: what `Shown` of finetune_aids.py is for pictures, for sounds: each frame says what is heard in it, each word what it
names and what it finds. Dropped after training; the labels are those of finetune_sound_labels.py."""
import torch
from torch import nn
import torch.nn.functional as F

from .finetune_aids import COUNTS, NAMES, pointed, pooling_loss, spread
from .finetune_sound_labels import HEARD_NAMES, SAID
from .material.mixtures import EVENTS
from .material.sound_questions import HITS, NUMBERS

WORDS_HEAD = 1  # of a reading layer's attention: finds spoken words, as NAMES finds events and hits


class Heard(nn.Module):
    """One classifier reads frames and words where the text begins to read the sound, and in the end, so that attention finds
    one by the other."""

    def __init__(self, dim):
        super().__init__()
        self.norms = nn.ModuleList([nn.LayerNorm(dim), nn.LayerNorm(dim)])  # of what the first and the last reading layer meet
        self.names, self.centres, self.times = nn.Linear(dim, 1 + len(HEARD_NAMES)), nn.Linear(dim, 1), nn.Linear(dim, 1)
        self.counts, self.spans, self.order = nn.Linear(dim, 1 + len(NUMBERS)), nn.Linear(dim, 2), nn.Linear(dim, len(SAID))

    def loss(self, reading, inputs):
        """reading: finetune_sound_reader.Reading; "names" and "centres" of inputs are those of the sounds, (B, n frames or more)."""
        frames = reading.frames[0].shape[1] - 1
        names, centres = inputs["names"][:, :frames], inputs["centres"][:, :frames]
        middle, upper = (norm(heard) for norm, heard in zip(self.norms, (reading.frames[0], reading.frames[-1])))
        loss = self.told(middle, names) + 0.5 * self.told(upper, names) + self.centred(middle, centres)
        loss = loss + self.timed(middle) + self.timed(upper)
        for words in (self.norms[0](reading.words[0]), reading.text):
            loss = loss + 0.5 * self.told(words, inputs["said_names"])
        return loss + self.found(reading.text[:, 1:], inputs)

    def timed(self, tokens):
        """Each frame of (B, 1 + n, D) says when it is, 0 to 1 of the clip: relative positions alone do not."""
        said = self.times(tokens[:, 1:]).squeeze(-1).float().sigmoid()
        return 2 * (said - torch.linspace(0, 1, said.shape[1], device=said.device)).abs().mean()

    def told(self, tokens, names):
        """tokens (B, 1 + n, D), CLS first, against names int64 (B, n): sound and silence count alike."""
        logits, loss = self.names(tokens[:, 1:]).float(), 0.0
        for asked in (names > 0, names == 0):
            if asked.any():
                loss = loss + 0.5 * F.cross_entropy(logits[asked], names[asked])
        return loss

    def centred(self, tokens, centres):
        """Whether a frame is the middle of an event, a word or a hit; both sides count alike."""
        right = (centres > 0).float()
        missed = F.binary_cross_entropy_with_logits(self.centres(tokens[:, 1:]).squeeze(-1).float(), right, reduction="none")
        return (missed * right).sum() / right.sum().clamp(min=1) + (missed * (1 - right)).sum() / (1 - right).sum()

    def found(self, words, inputs):
        """What words (B, T, D) say of what they name: whether, how often, from when to when, in what order."""
        counts, spans, order = (inputs[f"found_{kind}"] for kind in ("counts", "spans", "order"))
        loss = F.cross_entropy(self.counts(words[counts >= 0]).float(), counts[counts >= 0]) if (counts >= 0).any() else 0.0
        when = spans[..., 0] >= 0
        if when.any():
            loss = loss + 2 * (self.spans(words[when]).float().sigmoid() - spans[when]).abs().mean()
        said = order >= 0
        return loss + F.binary_cross_entropy_with_logits(self.order(words).float()[said], order[said]) if said.any() else loss


def answer_loss(weights, inputs):
    """Half of the pooling's heads (weights: pooled_weights, (B, T, H)) look at the name that the question says, if any, half at
    the answer: its last token."""
    ids, said = inputs["ids"], inputs["said_names"] > 0
    answer = torch.zeros_like(said)
    answer[torch.arange(len(ids)), inputs["lengths"] - 1] = True
    first = said & (said.long().cumsum(1) == 1)
    asked = torch.where((first & ~answer).any(1, keepdim=True), first, answer)
    half = weights.shape[2] // 2
    return (pooling_loss(weights[..., :half], asked) + pooling_loss(weights[..., half:], answer)) / 2


def listening_loss(weights, inputs):
    """`pointing_loss` of finetune_aids.py for one reading layer: words attend to the frames of what they name, or to the sound's
    CLS where there are none: one head for spoken words, one for events and hits. One spreads evenly over CLS and the middles.
    weights: of Reading.attended."""
    texts, rows = 1 + inputs["ids"].shape[1], len(inputs["ids"]) // len(inputs["waves"])
    heads, frames = weights.shape[1], weights.shape[-1] - texts - 1
    names, centres = (inputs[kind][:, :frames].repeat_interleave(rows, 0) for kind in ("names", "centres"))
    said = inputs["said_names"]
    match = (names[:, None] == said[..., None]) & (said > 0)[..., None]  # (nB, T, frames)
    missed = -weights[:, :, 1:texts, texts:]
    word = may_be_spoken(said)
    loss = spread(missed[:, COUNTS % heads], {**inputs, "centres": centres})
    for head, asked in ((NAMES, (said > 0) & ~word), (WORDS_HEAD % heads, word)):
        loss = loss + pointed(missed[:, head], match, asked)
    return loss


def may_be_spoken(names):
    """Whether labels are of spoken words; a word that is an event's name as well counts as the event."""
    return (names > len(EVENTS)) & (names <= len(HEARD_NAMES) - len(HITS))
