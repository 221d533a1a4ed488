"""Stage 1: image-text contrastive pre-training; text, image and shared attention learn (§13).

    python -m training.stage1 --out training/runs/stage1 --minutes 45
    python -m training.stage1 --out training/runs/stage1 --minutes 90 --resume     # goes on, up to 90 minutes in all

Writes log.jsonl, state.pt (everything needed to resume) and stage1.pt (averaged weights, official layout, head_type vl).
"""
import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from .losses import contrastive_loss
from .machine import prepare
from .material.paths import BPE
from .material.pictures import Pictures, batches
from .nano import FINAL_SIDE_PX, MAX_TEXT_IDS, nano_config
from .onepeace.checkpoint import save_checkpoint
from .onepeace.model import OnePeace
from .onepeace.relative_position import enlarge_rel_pos_table
from .onepeace.tokenizer import PAD, Tokenizer
from .schedule import Average, adamw, learning_rate

SAVE_EVERY_S = 180
LOG_EVERY = 25


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=45, help="training time in all, resumed parts included")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--warmup", type=int, default=300, help="steps")
    parser.add_argument("--small-side", type=int, default=64, help="picture side of the first part, pixels")
    parser.add_argument("--final-side", type=int, default=FINAL_SIDE_PX)
    parser.add_argument("--small-share", type=float, default=0.5, help="part of the time at the small side")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1, help="of the training process; see machine.py")
    parser.add_argument("--workers", type=int, default=1, help="processes that draw batches")
    parser.add_argument("--fp32", action="store_true", help="no bf16 autocast")
    parser.add_argument("--resume", action="store_true")
    return parser


def token_batch(tokenizer, texts, max_ids=MAX_TEXT_IDS):
    """[str] -> int64 (B, T), right padded."""
    rows = [torch.tensor(tokenizer(t, max_ids)) for t in texts]
    return nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=PAD)


def grow(model, side_px):
    """A copy of the model for larger pictures: the relative table is enlarged (§6.4), all else is copied."""
    config = replace(model.config, image_rel_bucket_size=side_px // 16)
    return fill(OnePeace(config), model.state_dict())


def fill(model, tensors):
    side = model.config.image_rel_bucket_size
    grown = {k: enlarge_rel_pos_table(v, side) if "image_adapter.rel_pos_table" in k else v for k, v in tensors.items()}
    model.load_state_dict(grown)
    return model


class Stage1:
    """Model, optimiser and average, with one `step`."""

    def __init__(self, config, pictures, tokenizer, args):
        self.pictures, self.tokenizer, self.args = pictures, tokenizer, args
        self.steps, self.elapsed_s = 0, 0.0
        self.adopt(OnePeace(config))

    def adopt(self, model, average=None, optimizer_state=None):
        """Takes a (new or grown) model into training; optimiser moments of a grown table start afresh."""
        self.model = model.train()
        self.stream = batches(self.pictures, self.args.batch, model.config.patch_image_size, self.args.seed, self.steps,
                              self.args.workers)
        self.average = Average(model, 0.999)
        if average:
            self.average.values.update({k: v for k, v in average.items() if k in self.average.values})
            self.average.updates = self.steps
        self.optimizer = adamw(model.parameters(), self.args.lr)
        if optimizer_state:
            order = [p for group in self.optimizer.param_groups for p in group["params"]]
            kept = {i: s for i, s in optimizer_state["state"].items() if s["exp_avg"].shape == order[i].shape}
            self.optimizer.load_state_dict({**optimizer_state, "state": kept})

    def grow_to(self, side_px):
        averaged = fill(OnePeace(replace(self.model.config, image_rel_bucket_size=side_px // 16)),
                        self.average.state(self.model)).state_dict()
        self.adopt(grow(self.model, side_px), averaged, self.optimizer.state_dict())

    def step(self, progress):
        """One batch; returns (loss, in-batch image-to-text accuracy)."""
        pictures, texts, concepts = next(self.stream)
        ids = token_batch(self.tokenizer, texts)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.args.lr, progress, self.steps, self.args.warmup)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=not self.args.fp32):
            images, words = self.model.image(pictures), self.model.text(ids)
        loss = contrastive_loss(images, words, concepts, self.model.temperature())
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 3.0)
        self.optimizer.step()
        self.average.update(self.model)
        self.steps += 1
        return loss.detach(), (images @ words.t()).argmax(1).eq(torch.arange(len(images))).float().mean()

    def save(self, out):
        """state.pt and the averaged model stage1.pt, each written beside and moved into place."""
        state = {"model": self.model.state_dict(), "average": self.average.values, "optimizer": self.optimizer.state_dict(),
                 "config": self.model.config.__dict__, "steps": self.steps, "elapsed_s": self.elapsed_s}
        torch.save(state, out / "state.tmp")
        (out / "state.tmp").rename(out / "state.pt")
        averaged = OnePeace(self.model.config)
        averaged.load_state_dict(self.average.state(self.model))
        save_checkpoint(out / "stage1.tmp", averaged, {"steps": self.steps, "stage": 1})
        (out / "stage1.tmp").rename(out / "stage1.pt")

    def load(self, out):
        state = torch.load(out / "state.pt", map_location="cpu")
        model = OnePeace(replace(self.model.config, **state["config"]))
        model.load_state_dict(state["model"])
        self.steps, self.elapsed_s = state["steps"], state["elapsed_s"]
        self.adopt(model, state["average"], state["optimizer"])


def train(stage, args):
    """Runs until the time is over; logs JSON lines."""
    args.out.mkdir(parents=True, exist_ok=True)
    budget_s, last, saved, since, seen = args.minutes * 60, time.time(), time.time(), time.time(), []
    with open(args.out / "log.jsonl", "a") as log:
        while stage.elapsed_s < budget_s:
            progress = stage.elapsed_s / budget_s
            if progress >= args.small_share and stage.model.config.patch_image_size < args.final_side:
                stage.grow_to(args.final_side)
            seen.append(stage.step(progress))
            stage.elapsed_s += time.time() - last
            last = time.time()
            if stage.steps % LOG_EVERY == 0:
                loss, accuracy = (sum(float(v[i]) for v in seen) / len(seen) for i in (0, 1))
                row = {"step": stage.steps, "elapsed_s": round(stage.elapsed_s), "loss": round(loss, 4),
                       "i2t_batch_accuracy": round(accuracy, 4), "side_px": stage.model.config.patch_image_size,
                       "temperature": round(float(stage.model.temperature().detach()), 2),
                       "pairs_per_s": round(len(seen) * args.batch / (last - since), 1)}
                print(json.dumps(row), file=log, flush=True)
                since, seen = last, []
            if last - saved > SAVE_EVERY_S:
                stage.save(args.out)
                saved = time.time()
    stage.save(args.out)


def main():
    args = arguments().parse_args()
    torch.manual_seed(args.seed)
    prepare(args.threads)
    tokenizer = Tokenizer(BPE)
    stage = Stage1(nano_config(tokenizer.vocab_size, args.small_side, "vl"), Pictures(), tokenizer, args)
    if args.resume:
        stage.load(args.out)
    train(stage, args)


if __name__ == "__main__":
    main()
