"""Endless seeded batches of any generator, drawn ahead in worker processes."""
import numpy as np
import torch

from ..machine import prepare

_ENDLESS = 1 << 40


class _Batches(torch.utils.data.Dataset):
    """Item `step` is the batch of that step, the same in every run and after every resume."""

    def __init__(self, draw, seed):
        self.draw, self.seed = draw, list(np.atleast_1d(seed))

    def __len__(self):
        return _ENDLESS

    def __getitem__(self, step):
        return self.draw(np.random.default_rng([*self.seed, step]))


def batches(draw, seed, first_step, workers):
    """Iterator of draw(rng) from `first_step` on; seed: a number or several. draw must be picklable, e.g. functools.partial."""
    return iter(torch.utils.data.DataLoader(
        _Batches(draw, seed), batch_size=None, sampler=range(first_step, _ENDLESS), num_workers=workers,
        worker_init_fn=lambda _: prepare(1), **({"prefetch_factor": 4} if workers else {})))
