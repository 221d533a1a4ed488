"""The loop that pre-training and fine-tuning share: budget, log, saving.

A trainer has args (steps or minutes, batch), config, device, rank, steps, elapsed_s, step() -> {name: tensor} and save(out).
"""
import json
import time

import torch

from .machine import from_first

SAVE_EVERY_S = 180
LOG_EVERY = 25


def progress_of(trainer):
    """0..1 of the budget, by steps where they are given, else by time."""
    args = trainer.args
    return trainer.steps / args.steps if args.steps else trainer.elapsed_s / (60 * args.minutes)


def train(trainer, args):
    """Runs until the budget is spent; logs JSON lines. A resumed run forgets log lines later than its state."""
    args.out.mkdir(parents=True, exist_ok=True)
    path = args.out / "log.jsonl"
    if not trainer.rank and path.exists():  # one process alone: another would read what this one has just emptied
        kept = [line for line in path.read_text().splitlines() if json.loads(line)["step"] <= trainer.steps]
        path.write_text("".join(f"{line}\n" for line in kept))
    last = since = time.time()
    saved_s, seen = trainer.elapsed_s, []
    while progress_of(trainer) < 1 and trainer.steps < (args.max_steps or float("inf")):
        seen.append(trainer.step())
        trainer.elapsed_s, last = from_first(trainer.elapsed_s + time.time() - last, trainer.device), time.time()
        if trainer.steps % LOG_EVERY == 0:
            if not trainer.rank:
                write(path, summary(trainer, seen, last - since))
            since, seen = last, []
        if trainer.elapsed_s - saved_s > SAVE_EVERY_S:
            trainer.save(args.out)
            saved_s = trainer.elapsed_s
    trainer.save(args.out)


def write(path, row):
    with open(path, "a") as log:
        print(json.dumps(row), file=log)


def summary(trainer, seen, seconds):
    """A row of the log: means over the steps since the last one; a term has no value in phases without it."""
    names = dict.fromkeys(name for step in seen for name in step)
    means = {n: round(float(torch.stack([s[n].float() for s in seen if n in s]).mean()), 4) for n in names}
    pairs = len(seen) * trainer.args.batch * (torch.distributed.get_world_size() if torch.distributed.is_initialized() else 1)
    return {"step": trainer.steps, "elapsed_s": round(trainer.elapsed_s), **means, "side_px": trainer.config.patch_image_size,
            "pairs_per_s": round(pairs / seconds, 1)}
