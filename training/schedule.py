"""Optimiser, learning rate and the moving average of weights that all training shares."""
import math
import re

import torch

_LAYER = re.compile(r"encoder_wrapper\.fusion_model\.layers\.(\d+)\.")


def adamw(named_parameters, lr, weight_decay=0.05, layer_decay=1.0, layers=0):
    """AdamW; no decay for vectors, biases and scalars (§13.4).

    With layer_decay < 1 each layer learns at that share of the rate of the layer above it, adapters slowest; a group's share
    is its "scale", to be multiplied with the scheduled rate.
    """
    groups = {}
    for name, parameter in named_parameters:
        if parameter.requires_grad:
            scale = layer_decay ** (layers + 1 - depth(name, layers))
            groups.setdefault((scale, weight_decay if parameter.ndim > 1 else 0.0), []).append(parameter)
    return torch.optim.AdamW([{"params": p, "scale": scale, "weight_decay": decay} for (scale, decay), p in groups.items()],
                             lr=lr, betas=(0.9, 0.98), eps=1e-8)


def depth(name, layers):
    """0 for the encoder's adapters, 1..layers for its layers, layers + 1 for all behind them."""
    layer = _LAYER.search(name)
    if layer:
        return int(layer.group(1)) + 1
    return 0 if re.search(r"encoder_wrapper\.\w+_adapter\.", name) else layers + 1


def learning_rate(peak, progress, step, warmup_steps, floor=0.01):
    """Linear warm-up by step, then cosine by progress 0..1 of the budget down to floor * peak."""
    cosine = floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
    return peak * min(1.0, (step + 1) / warmup_steps) * cosine


class Average:
    """Exponential moving average of trainable parameters; short memory at first."""

    def __init__(self, model, decay):
        self.decay, self.updates = decay, 0
        self.values = {n: p.detach().clone() for n, p in model.named_parameters() if p.requires_grad}

    @torch.no_grad()
    def update(self, model):
        self.updates += 1
        keep = min(self.decay, (1 + self.updates) / (10 + self.updates))
        for name, parameter in model.named_parameters():
            if name in self.values:
                self.values[name].lerp_(parameter, 1 - keep)

    def state(self, model):
        """The model's state dict with averaged parameters."""
        return {**model.state_dict(), **self.values}
