"""Contrastive loss (§13.1) with one addition for small vocabularies: pairs of the same concept are no negatives.

A bank of earlier text embeddings as further negatives was tried and dropped: the network learns to tell fresh embeddings from
stale ones instead of words. Frozen texts (stage 2) have no such age, there `bank` holds every text.

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
