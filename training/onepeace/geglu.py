"""Feed-forward network of one modality: GeGLU with a sub-LayerNorm (§8)."""
from torch import nn
import torch.nn.functional as F


class GeGLU(nn.Module):
    """(B, T, D) -> (B, T, F): GELU(wi_0 x) * (wi_1 x)."""

    def __init__(self, dim, ffn_dim):
        super().__init__()
        self.wi_0 = nn.Linear(dim, ffn_dim, bias=False)
        self.wi_1 = nn.Linear(dim, ffn_dim, bias=False)

    def forward(self, x):
        return F.gelu(self.wi_0(x)) * self.wi_1(x)


def feed_forward(dim, ffn_dim):
    """GeGLU -> LayerNorm -> Linear, numbered 0, 2, 3 as in the official Sequential (1 is its dropout)."""
    return nn.Sequential(GeGLU(dim, ffn_dim), nn.Dropout(0.0), nn.LayerNorm(ffn_dim), nn.Linear(ffn_dim, dim))
