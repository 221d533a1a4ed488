"""The encoder: adapters, then one transformer over text tokens followed by image or audio tokens (§8)."""
import torch
from torch import nn

from .audio_adapter import AudioAdapter
from .image_adapter import ImageAdapter
from .layer import Layer
from .text_adapter import TextAdapter

ADAPTERS = {"text": TextAdapter, "image": ImageAdapter, "audio": AudioAdapter}


class FusionModel(nn.Module):
    """The layers and the final norm of each modality."""

    def __init__(self, config):
        super().__init__()
        self.layers = nn.ModuleList(
            Layer(config, config.drop_path_rate * i / max(1, config.layers - 1)) for i in range(config.layers))
        for modality in config.branches:
            self.add_module(f"{modality}_layer_norm", nn.LayerNorm(config.embed_dim))

    def forward(self, x, biases, segments):
        for index, layer in enumerate(self.layers):
            x = layer(x, biases[index] if len(biases) > 1 else biases[0], segments)
        parts = x.split([length for _, length in segments], dim=1)
        return {m: getattr(self, f"{m}_layer_norm")(part) for (m, _), part in zip(segments, parts)}


class EncoderWrapper(nn.Module):
    """Inputs by modality -> hidden states {modality: (B, T_m, D)} after the final norms; position 0 is CLS."""

    def __init__(self, config):
        super().__init__()
        for modality in config.branches:
            self.add_module(f"{modality}_adapter", ADAPTERS[modality](config))
        self.fusion_model = FusionModel(config)

    def forward(self, inputs, preserve=None):
        """inputs {modality: tuple of adapter arguments}, text first: {"text": (ids,), "image": (pixels,)}.

        preserve {modality: int64 (B, P)}: the encoder sees these tokens only (§13.3), and P stands for T everywhere.
        """
        preserve = preserve or dict.fromkeys(inputs)
        parts = [(m, *getattr(self, f"{m}_adapter")(*args, preserve=preserve[m])) for m, args in inputs.items()]
        segments = [(m, x.shape[1]) for m, x, _, _ in parts]
        x = torch.cat([x for _, x, _, _ in parts], dim=1)  # (B, T, D)
        padding = torch.cat([p for _, _, p, _ in parts], dim=1)  # (B, T)
        biases = [join_biases(blocks) for blocks in zip(*(b for _, _, _, b in parts))]
        if inputs.keys() != {"image"}:  # pictures are never padded
            x = x * (~padding).unsqueeze(-1).to(x.dtype)
            blocked = torch.zeros_like(padding, dtype=torch.float32).masked_fill(padding, float("-inf"))
            biases = [b + blocked[:, None, None, :] for b in biases]  # (B, H, T, T)
        return self.fusion_model(x, biases, segments)


def join_biases(blocks):
    """[(1 or B, H, t, t)] -> block-diagonal (1 or B, H, T, T); modalities have no relative bias on each other."""
    if len(blocks) == 1:
        return blocks[0]
    total = sum(b.shape[-1] for b in blocks)
    joined, start = blocks[0].new_zeros(*blocks[0].shape[:2], total, total), 0
    for block in blocks:
        end = start + block.shape[-1]
        joined[:, :, start:end, start:end] = block
        start = end
    return joined
