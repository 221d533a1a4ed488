"""`Heard`: what `Shown` of finetune_aids.py is for pictures, for sounds: each frame says what is heard in it, each word what it
names and what it finds. Dropped after training; the labels are those of finetune_sound_labels.py."""
import torch
from torch import nn
import torch.nn.functional as F

from .finetune_aids import pooling_loss
from .finetune_sound_labels import HEARD_NAMES, SAID
from .material.sound_questions import NUMBERS


class Heard(nn.Module):
    """One classifier reads frames and words, at the end of the trunk and two thirds up, so that attention finds one by the other."""

    def __init__(self, dim):
        super().__init__()
        self.middle_norm = nn.LayerNorm(dim)
        self.names, self.centres = nn.Linear(dim, 1 + len(HEARD_NAMES)), nn.Linear(dim, 1)
        self.counts, self.spans, self.order = nn.Linear(dim, 1 + len(NUMBERS)), nn.Linear(dim, 2), nn.Linear(dim, len(SAID))

    def loss(self, hidden, middle, inputs):
        """hidden {modality: (B, T, D)}, CLS first; middle (B, T_text + T_audio, D)."""
        texts, middle = hidden["text"].shape[1], self.middle_norm(middle)
        loss = self.told(hidden["audio"], inputs["names"]) + self.told(middle[:, texts:], inputs["names"])
        for words in (hidden["text"], middle[:, :texts]):
            loss = loss + 0.5 * self.told(words, inputs["said_names"])
        return loss + self.centred(middle[:, texts:], inputs["centres"]) + self.found(hidden["text"][:, 1:], inputs)

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
