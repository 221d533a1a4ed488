"""The pre-training decoder (§2, §4.2, §13.3): a small transformer that fills masked places. Dropped after pre-training.

No relative bias, no key masking, no layer scale. Of its adapters only the position tables are used; the other tensors are
part of the official layout.
"""
import math
from dataclasses import replace

import torch
from torch import nn

from .encoder import FusionModel
from .relative_position import interpolate_pos_embed
from .text_adapter import POSITIONS

AUDIO_POSITIONS = 1026


def decoder_config(config, embed_dim, ffn_embed_dim, layers, attention_heads):
    """Config of the decoder of an encoder with `config`."""
    return replace(config, embed_dim=embed_dim, ffn_embed_dim=ffn_embed_dim, layers=layers, attention_heads=attention_heads,
                   layer_scale_init_value=None, drop_path_rate=0.0)


def unused(*shape):
    return nn.Parameter(torch.zeros(*shape), requires_grad=False)


class TokenPositions(nn.Module):
    """length -> (length, Dd) from a table; text and audio."""

    def __init__(self, config, modality):
        super().__init__()
        self.cls_embedding = unused(1, 1, config.embed_dim)
        if modality == "audio":
            self.mask_embedding = unused(1, config.embed_dim)
        self.embed_positions = nn.Embedding(AUDIO_POSITIONS if modality == "audio" else POSITIONS, config.embed_dim)

    def forward(self, length):
        return self.embed_positions.weight[:length]


class GridPositions(nn.Module):
    """length = g² + 1 -> (length, Dd), interpolated to the grid."""

    def __init__(self, config):
        super().__init__()
        self.cls_embedding = unused(1, 1, config.embed_dim)
        self.pos_embed = nn.Parameter(torch.randn(config.image_bucket_size**2 + 1, config.embed_dim) * 0.02)

    def forward(self, length):
        return interpolate_pos_embed(self.pos_embed, math.isqrt(length - 1))


class DecoderWrapper(nn.Module):
    """{modality: x (B, T_m, Dd)} with padded places given -> {modality: (B, T_m, Dd)} after the final norms."""

    def __init__(self, config):
        super().__init__()
        for modality in config.branches:
            adapter = GridPositions(config) if modality == "image" else TokenPositions(config, modality)
            self.add_module(f"{modality}_adapter", adapter)
        self.fusion_model = FusionModel(config)

    def forward(self, parts, padding):
        placed = [(x + getattr(self, f"{m}_adapter")(x.shape[1])).masked_fill(padding[m].unsqueeze(2), 0)
                  for m, x in parts.items()]
        return self.fusion_model(torch.cat(placed, dim=1), [0.0], [(m, x.shape[1]) for m, x in parts.items()])
