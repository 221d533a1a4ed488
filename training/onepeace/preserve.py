"""Masked forward (§13.3): the encoder sees only the preserved tokens of each sample.

`preserve` int64 (B, P) holds their indices in the full sequence (0 is CLS), right padded with -1. A -1 entry reads token P - 1
instead, as the reference does, and is masked as padding; attention never sees it, but the audio position convolution does.
"""
from typing import NamedTuple

import torch
import torch.nn.functional as F


class Mask(NamedTuple):
    """Which tokens of (B, T) are masked, and which the encoder keeps; the rest is padding."""

    masked: torch.Tensor  # bool (B, T)
    preserve: torch.Tensor  # int64 (B, P)

    def padding(self):
        """bool (B, T): neither masked nor preserved."""
        seen = scatter_tokens(torch.zeros_like(self.masked).unsqueeze(2), torch.ones_like(self.preserve).bool().unsqueeze(2),
                              self.preserve).squeeze(2)
        return ~(self.masked | seen)

    def to(self, device):
        return Mask(self.masked.to(device), self.preserve.to(device))


def filled(preserve):
    """Indices without -1."""
    return preserve.masked_fill(preserve < 0, preserve.shape[1] - 1)


def gather_tokens(x, preserve):
    """(B, T, D) -> (B, P, D)."""
    return x.gather(1, filled(preserve).unsqueeze(2).expand(-1, -1, x.shape[2]))


def scatter_tokens(x, tokens, preserve):
    """x (B, T, D) with tokens (B, P, D) put at their places; -1 entries go nowhere."""
    index = preserve.masked_fill(preserve < 0, x.shape[1]).unsqueeze(2).expand(-1, -1, x.shape[2])
    room = torch.cat([x, x[:, :1]], dim=1)  # one place more, for the fillers
    return room.scatter(1, index, tokens.to(x.dtype))[:, :-1]


def gather_bias(table, buckets, preserve):
    """Table (rows, H) and buckets (T, T) -> bias (B, H, P, P) of the preserved rows and columns."""
    index = filled(preserve)
    return F.embedding(buckets[index.unsqueeze(2), index.unsqueeze(1)], table).permute(0, 3, 1, 2)
