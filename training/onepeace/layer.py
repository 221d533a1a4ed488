"""One pre-norm transformer layer: shared attention, one feed-forward network a modality, layer scale (§8)."""
import torch
from torch import nn

from .attention import SelfAttention
from .geglu import feed_forward


class Layer(nn.Module):
    """segments [(modality, length)] say which tokens of x (B, T, D) go through which feed-forward network."""

    def __init__(self, config, drop_path=0.0):
        super().__init__()
        dim = config.embed_dim
        self.drop_path = drop_path
        self.self_attn = SelfAttention(config)
        self.self_attn_layer_norm = nn.LayerNorm(dim)
        for modality in config.branches:
            self.add_module(f"{modality}_ffn", feed_forward(dim, config.ffn_embed_dim))
        self.final_layer_norm = nn.LayerNorm(dim)
        scale = config.layer_scale_init_value
        self.gamma_1, self.gamma_2 = (nn.Parameter(torch.full((dim,), scale)) if scale else None for _ in range(2))

    def forward(self, x, bias, segments):
        x = x + self.kept(scaled(self.gamma_1, self.self_attn(self.self_attn_layer_norm(x), bias)))
        y = self.final_layer_norm(x)
        parts = y.split([length for _, length in segments], dim=1)
        outputs = [getattr(self, f"{m}_ffn")(part) for (m, _), part in zip(segments, parts)]
        return x + self.kept(scaled(self.gamma_2, outputs[0] if len(outputs) == 1 else torch.cat(outputs, dim=1)))

    def kept(self, branch):
        """Stochastic depth: in training a sample's branch is dropped with probability drop_path."""
        if not (self.training and self.drop_path):
            return branch
        keep = torch.rand(branch.shape[0], 1, 1, device=branch.device) >= self.drop_path
        return branch * keep / (1 - self.drop_path)


def scaled(gamma, x):
    """Layer scale; the decoder has none."""
    return x if gamma is None else gamma * x
