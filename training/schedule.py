"""Optimiser, learning rate by wall clock, and the moving average of weights that stages share."""
import math

import torch


def adamw(parameters, lr, weight_decay=0.05):
    """AdamW; no decay for vectors, biases and scalars (§13.4)."""
    parameters = [p for p in parameters if p.requires_grad]
    groups = [{"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
              {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=lr, betas=(0.9, 0.98), eps=1e-8)


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
