"""The two pre-training tasks as losses: cross-modal contrastive (§13.1) and denoising contrastive (§13.2).

Two additions for small vocabularies and frozen texts: pairs of the same concept are no negatives, and a bank of fixed text
embeddings may serve as further negatives. (A bank of earlier embeddings of texts that still learn was tried and dropped: the
network learns to tell fresh from stale embeddings instead of words.)
"""
from typing import NamedTuple

import torch
import torch.nn.functional as F

DENOISING_SCALE = 2.5
DENOISING_GROUP = 32  # samples whose tokens are told apart: the reference's batch of a GPU (§13.4)
LABEL_SMOOTHING = 0.1  # of the denoising task in training
WEIGHTS = {  # §13
    "image-text": {"itc": 1.0, "dcl_text": 0.5, "dcl_image": 1.0, "dcl_vl_text": 0.5, "dcl_vl_image": 0.5},
    "audio-text": {"atc": 1.0, "dcl_audio": 1.0, "dcl_al_text": 0.5, "dcl_al_audio": 0.5},
}


class Everyone(NamedTuple):
    """The embeddings of all processes in rank order, without gradient, and where this process' rows begin."""

    media: torch.Tensor  # (R, D)
    texts: torch.Tensor  # (R, D)
    concepts: torch.Tensor  # (R,)
    first: int

    def with_own(self, mine, name):
        """One of the tensors, this process' rows replaced by `mine`, through which gradients flow."""
        return torch.cat([getattr(self, name)[: self.first], mine, getattr(self, name)[self.first + len(mine) :]])


def contrastive_loss(media, texts, concepts, temperature, bank=None, bank_concepts=None, everyone=None):
    """Mean cross entropy of both directions.

    media, texts (B, D) normalised; concepts int64 (B,); bank (N, D) of further texts or None. With several processes
    `everyone` gives the rows of all; the own rows keep their gradient (the reference drops it, which changes no value).
    """
    everyone = everyone or Everyone(media, texts, concepts, 0)
    own = torch.arange(len(media), device=media.device) + everyone.first  # (B,) right answers
    same = concepts[:, None] == everyone.concepts[None, :]  # (B, R)
    same = same.scatter(1, own[:, None], False)
    from_media = (temperature * media @ everyone.with_own(texts, "texts").t()).masked_fill(same, float("-inf"))
    from_text = (temperature * texts @ everyone.with_own(media, "media").t()).masked_fill(same, float("-inf"))
    if bank is not None:
        known = concepts[:, None] == bank_concepts[None, :]
        further = (temperature * media @ bank.t()).masked_fill(known, float("-inf"))
        from_media = torch.cat([from_media, further], dim=1)
    return (F.cross_entropy(from_media, own) + F.cross_entropy(from_text, own)) / 2


def denoising_loss(student, teacher, mask, smoothing=LABEL_SMOOTHING):
    """Masked student tokens must find their teacher token among all teacher tokens of their group (§13.2).

    student, teacher (B, T, D); mask a Mask of (B, T). CLS and padding take no part; the teacher gets no gradient. Mean over the
    masked tokens; zero where there are none, as happens with a few short texts.
    """
    masked, valid = mask.masked[:, 1:], ~mask.padding()[:, 1:]
    groups = zip(*(x.split(DENOISING_GROUP) for x in (student[:, 1:], teacher[:, 1:].detach(), masked, valid)))
    return sum(group_loss(*group, smoothing) for group in groups) / masked.sum().clamp(min=1)


def group_loss(student, teacher, masked, valid, smoothing):
    """Summed over the masked tokens; student, teacher (G, T, D), masked, valid bool (G, T)."""
    targets = F.normalize(teacher[valid].float(), dim=-1)  # (n, D)
    queries = F.normalize(student[masked].float(), dim=-1)  # (m, D)
    right = (valid.flatten().cumsum(0) - 1)[masked.flatten()]  # (m,) row of each query's own token in `targets`
    n = len(targets)  # the reference spreads `smoothing` over the n - 1 others, torch over all n
    logits = DENOISING_SCALE * (queries @ targets.t()).float()  # (m, n), the product in bf16 under autocast
    return F.cross_entropy(logits, right, label_smoothing=smoothing * n / (n - 1), reduction="sum")


def denoising_terms(students, features, joint, masks, smoothing=LABEL_SMOOTHING):
    """{term: loss}. students {task: {modality: (B, T, D)}}, masks likewise; a text's or picture's own teacher is its unimodal
    pass `features`, all others are taught by the joint pass `joint` (§13.2)."""
    terms = {}
    for task, tokens in students.items():
        for modality, student in tokens.items():
            alone = task == modality
            teacher = features[modality] if alone and modality != "audio" else joint[modality]
            name = f"dcl_{modality}" if alone else f"dcl_{task}_{modality}"
            terms[name] = denoising_loss(student, teacher, masks[task][modality], smoothing)
    return terms


def total(terms, weights):
    """Weighted sum; terms of a task that is switched off are simply absent."""
    return sum(weights[name] * value for name, value in terms.items())
