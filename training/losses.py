"""Contrastive loss (§13.1) with two additions for small batches: same-concept pairs are no negatives, and the latest
embeddings of all names serve as further negatives, as the other ranks' embeddings do on a cluster (without gradient).

The denoising contrastive loss (DCL, §13.2) is not trained at this size; its place is here.
"""
import torch
import torch.nn.functional as F


def contrastive_loss(media, texts, concepts, temperature, bank=None, bank_concepts=None):
    """media, texts (B, D) normalised; concepts int64 (B,); bank (N, D) or None -> mean cross entropy of both directions."""
    rows = torch.arange(len(media), device=media.device)
    same = concepts[:, None] == concepts[None, :]
    same[rows, rows] = False
    logits = temperature * media @ texts.t()
    from_media = logits.masked_fill(same, float("-inf"))
    if bank is not None:
        known = concepts[:, None] == bank_concepts[None, :]
        further = (temperature * media @ bank.t()).masked_fill(known, float("-inf"))
        from_media = torch.cat([from_media, further], dim=1)
    from_text = logits.t().masked_fill(same, float("-inf"))
    return (F.cross_entropy(from_media, rows) + F.cross_entropy(from_text, rows)) / 2


class NameBank:
    """The most recent embedding of every emoji name: (N, D), filled as names are seen."""

    def __init__(self, names, dim):
        self.embeddings = torch.zeros(names, dim)
        self.seen = torch.zeros(names, dtype=torch.bool)

    def update(self, concepts, embeddings, is_name):
        use = is_name & (concepts < len(self.seen))
        self.embeddings[concepts[use]] = embeddings[use].detach().float()
        self.seen[concepts[use]] = True

    def negatives(self):
        """(embeddings, concepts) of the names seen so far."""
        concepts = self.seen.nonzero().squeeze(1)
        return self.embeddings[concepts], concepts
