"""The retrieval model: encoder, one projection a modality, temperature (§9)."""
import math

import torch
from torch import nn
import torch.nn.functional as F

from .encoder import EncoderWrapper

LOGIT_SCALE_INIT = math.log(1 / 0.07)
LOGIT_SCALE_MAX = math.log(100)


class OnePeace(nn.Module):
    """Text ids, pixels or waveforms -> L2-normalised embeddings (B, D)."""

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.logit_scale = nn.Parameter(torch.tensor(LOGIT_SCALE_INIT))
        self.encoder_wrapper = EncoderWrapper(config)
        for modality in config.branches:
            self.add_module(f"{modality}_proj", nn.Linear(config.embed_dim, config.embed_dim))
        self.apply(initialise)

    def encode(self, modality, *inputs):
        """-> embedding (B, D), normalised, and token features (B, T, D)."""
        features = self.encoder_wrapper({modality: inputs})[modality]
        return F.normalize(getattr(self, f"{modality}_proj")(features[:, 0]).float(), dim=-1), features

    def embed(self, modality, *inputs):
        return self.encode(modality, *inputs)[0]

    def text(self, ids):
        """int64 (B, T), padded with 1 -> (B, D)."""
        return self.embed("text", ids)

    def image(self, pixels):
        """(B, 3, S, S), normalised (§11) -> (B, D)."""
        return self.embed("image", pixels)

    def audio(self, waveforms, padding=None):
        """(B, n) 16 kHz, normalised (§12); padding bool (B, frames + 1) or None -> (B, D)."""
        return self.embed("audio", waveforms, padding)

    def temperature(self):
        """exp(logit_scale), clamped to [1, 100]."""
        return self.logit_scale.clamp(0, LOGIT_SCALE_MAX).exp()


def initialise(module):
    """Normal weights with the usual 0.02 for tables; linear and convolution layers keep fan-in scaling."""
    if isinstance(module, nn.Embedding):
        nn.init.normal_(module.weight, std=0.02)
    elif isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=module.in_features**-0.5)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
