"""Shared self-attention with a sub-LayerNorm before the output projection (§8)."""
import torch
from torch import nn


class SelfAttention(nn.Module):
    """x (B, T, D), bias (1 or B, H, T, T) with -inf at padded keys -> (B, T, D)."""

    def __init__(self, config):
        super().__init__()
        dim = config.embed_dim
        self.heads = config.attention_heads
        self.q_proj = nn.Linear(dim, dim)
        self.k_proj = nn.Linear(dim, dim, bias=False)
        self.v_proj = nn.Linear(dim, dim)
        self.ln = nn.LayerNorm(dim)
        self.out_proj = nn.Linear(dim, dim)

    def forward(self, x, bias):
        batch, length, dim = x.shape
        split = (batch, length, self.heads, dim // self.heads)
        q = (self.q_proj(x) * (dim // self.heads) ** -0.5).view(split).transpose(1, 2)  # (B, H, T, d), scaled after bias
        k = self.k_proj(x).view(split).permute(0, 2, 3, 1)  # (B, H, d, T)
        v = self.v_proj(x).view(split).transpose(1, 2)  # (B, H, T, d)
        # Plain attention: with a learned bias the fused kernels fall back to the same products, and T is small.
        weights = torch.softmax((q @ k).float() + bias, dim=-1).to(v.dtype)  # (B, H, T, T)
        heads = (weights @ v).transpose(1, 2).reshape(batch, length, dim)
        return self.out_proj(self.ln(heads))
