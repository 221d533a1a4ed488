"""Stage 2: audio-text contrastive pre-training; only the audio branch learns, all else is frozen (§13).

    python -m training.stage2 --init training/runs/stage1/stage1.pt --out training/runs/stage2 --minutes 25
    python -m training.stage2 --out training/runs/stage2 --minutes 60 --resume
    torchrun --nproc_per_node 2 -m training.stage2 …                       # gradients are averaged over the processes

Writes log.jsonl, state.pt (everything needed to resume) and nano.pt (averaged weights, official layout, head_type val).
"""
import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn
import torch.nn.functional as F

from .losses import contrastive_loss
from .machine import average_gradients, from_first, join, prepare
from .material.clips import Clips, batches
from .material.paths import BPE
from .mel import BINS, warm_start_loss
from .onepeace.checkpoint import load_checkpoint, save_checkpoint
from .onepeace.model import LOGIT_SCALE_INIT, OnePeace
from .onepeace.tokenizer import PAD, Tokenizer
from .schedule import Average, adamw, learning_rate

SAVE_EVERY_S = 180
LOG_EVERY = 25
TRAINED = ("audio_adapter.", ".audio_ffn.", "audio_layer_norm.", "audio_proj.", "logit_scale")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--init", type=Path, help="stage 1 checkpoint; not needed to resume")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=25, help="training time in all, resumed parts included")
    parser.add_argument("--batch", type=int, default=48, help="of each process; negatives are all texts, whatever the batch")
    parser.add_argument("--lr", type=float, default=1.5e-3)
    parser.add_argument("--mel-share", type=float, default=0.06, help="part of the time for the front end's warm start")
    parser.add_argument("--freeze-convs", action="store_true", help="keep the convolutions as the warm start left them: faster")
    parser.add_argument("--warmup", type=int, default=150, help="steps")
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1, help="of the training process; see machine.py")
    parser.add_argument("--workers", type=int, default=1, help="processes that draw batches")
    parser.add_argument("--fp32", action="store_true", help="no bf16 autocast")
    parser.add_argument("--resume", action="store_true")
    return parser


def is_trained(name):
    return any(part in name for part in TRAINED)


def with_audio(stage1):
    """A val model: text, image and shared weights of stage 1, a new audio branch, all but the audio branch frozen.

    The audio feed-forward networks, final norm and CLS token begin as copies of the text ones, as they follow the same attention.
    """
    model = OnePeace(replace(stage1.config, head_type="val", drop_path_rate=0.0))
    tensors = stage1.state_dict()
    copied = {k: tensors[k.replace("audio", "text")] for k in model.state_dict()
              if ".audio_ffn." in k or "audio_layer_norm" in k or k.startswith("audio_proj")}
    model.load_state_dict({**model.state_dict(), **tensors, **copied})
    text, audio = model.encoder_wrapper.text_adapter, model.encoder_wrapper.audio_adapter
    with torch.no_grad():
        audio.cls_embedding.copy_(text.cls_embedding)
        audio.cls_pos_embed.copy_(text.embed_positions.weight[:1])
        audio.rel_pos_table_list[0].weight[-3:] = text.rel_pos_table_list[0].weight[-3:]  # rows of CLS (§5.1)
        model.logit_scale.fill_(LOGIT_SCALE_INIT)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(is_trained(name))
    return model


@torch.no_grad()
def embed_texts(model, tokenizer, texts):
    """[str] -> (N, D): the frozen text tower, once."""
    rows = [torch.tensor(tokenizer(t)) for t in texts]
    chunks = [rows[i : i + 256] for i in range(0, len(rows), 256)]
    pad = lambda chunk: nn.utils.rnn.pad_sequence(chunk, batch_first=True, padding_value=PAD)
    return torch.cat([model.text(pad(chunk)) for chunk in chunks])


class Stage2:
    """Model, optimiser, average and the fixed text embeddings, with one `step`."""

    def __init__(self, model, clips, tokenizer, args):
        self.model, self.clips, self.args = model.train(), clips, args
        self.rank, self.processes = join()
        self.steps, self.elapsed_s, self.stream = 0, 0.0, None
        dim = model.config.embed_dim
        self.text_embeddings = embed_texts(model, tokenizer, [t for t, _ in clips.texts])  # (N, D)
        self.text_concepts = torch.tensor([c for _, c in clips.texts])
        self.average = Average(model, 0.998)
        self.heads = nn.ModuleDict({"mel": nn.Linear(dim, BINS), "pooled": nn.Linear(dim, dim)})  # dropped after training
        self.optimizer = adamw([*model.parameters(), *self.heads.parameters()], args.lr)
        self.tokens = None  # (B, T, D), the adapter's latest output
        model.encoder_wrapper.audio_adapter.register_forward_hook(lambda _m, _i, out: setattr(self, "tokens", out[0]))

    def step(self, progress):
        """One batch; returns (loss, audio-to-text accuracy over all texts). The first part is the warm start (mel.py)."""
        self.stream = self.stream or batches(
            self.clips, self.args.batch, [self.args.seed, self.rank], self.steps, self.args.workers)
        waves, rows = next(self.stream)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.args.lr, progress, self.steps, self.args.warmup)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=not self.args.fp32):
            if progress < self.args.mel_share:
                loss = warm_start_loss(self.model.encoder_wrapper.audio_adapter, self.heads["mel"], waves)
                accuracy = torch.zeros(2)
            else:
                if self.args.freeze_convs:  # their backward pass is a third of the work
                    self.model.encoder_wrapper.audio_adapter.embed_audios[0].requires_grad_(False)
                loss, accuracy = self.contrast(self.model.audio(waves), rows, max(0.0, 0.5 - 1.5 * progress))
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        trained = [p for group in self.optimizer.param_groups for p in group["params"] if p.grad is not None]
        average_gradients(trained, self.processes)
        nn.utils.clip_grad_norm_(trained, 3.0)
        self.optimizer.step()
        self.average.update(self.model)
        self.steps += 1
        return loss.detach(), accuracy

    def contrast(self, sounds, rows, pooled_share):
        """sounds (B, D), text rows (B,) -> loss against all texts, accuracy of the nearest text.

        At first a share of the loss reads the mean of the adapter's tokens: so the adapter learns words directly, and not only
        through the frozen attention, which does not know yet what to do with sound.
        """
        concepts = self.text_concepts[rows]
        pooled = F.normalize(self.heads["pooled"](self.tokens[:, 1:].mean(1)).float(), dim=-1)
        with torch.autocast("cpu", enabled=False):
            loss = sum(share * contrastive_loss(s.float(), self.text_embeddings[rows], concepts, self.model.temperature(),
                                                self.text_embeddings, self.text_concepts)
                       for s, share in ((sounds, 1 - pooled_share), (pooled, pooled_share)) if share)
        right = [self.text_concepts[(s.detach().float() @ self.text_embeddings.t()).argmax(1)].eq(concepts).float().mean()
                 for s in (sounds, pooled)]
        return loss, torch.stack(right)

    def save(self, out):
        """state.pt and the averaged model nano.pt, each written beside and moved into place."""
        state = {"model": self.model.state_dict(), "average": self.average.values, "optimizer": self.optimizer.state_dict(),
                 "heads": self.heads.state_dict(), "steps": self.steps, "elapsed_s": self.elapsed_s}
        torch.save(state, out / "state.tmp")
        (out / "state.tmp").rename(out / "state.pt")
        averaged = OnePeace(self.model.config)
        averaged.load_state_dict(self.average.state(self.model))
        save_checkpoint(out / "nano.tmp", averaged, {"steps": self.steps, "stage": 2})
        (out / "nano.tmp").rename(out / "nano.pt")

    def load(self, out):
        state = torch.load(out / "state.pt", map_location="cpu")
        self.model.load_state_dict(state["model"])
        self.heads.load_state_dict(state["heads"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.average.values, self.average.updates = state["average"], state["steps"]
        self.steps, self.elapsed_s = state["steps"], state["elapsed_s"]


def train(stage, args):
    """Runs until the time is over; logs JSON lines."""
    args.out.mkdir(parents=True, exist_ok=True)
    budget_s, last, saved, since, seen = args.minutes * 60, time.time(), time.time(), time.time(), []
    with open(args.out / "log.jsonl", "a") as log:
        while stage.elapsed_s < budget_s:
            seen.append(stage.step(stage.elapsed_s / budget_s))
            stage.elapsed_s = from_first(stage.elapsed_s + time.time() - last, stage.processes)
            last = time.time()
            if stage.rank:
                continue  # the first process logs and saves
            if stage.steps % LOG_EVERY == 0:
                loss, accuracy, pooled = torch.stack([torch.cat([v.view(-1) for v in s]) for s in seen]).mean(0).tolist()
                row = {"step": stage.steps, "elapsed_s": round(stage.elapsed_s), "loss": round(loss, 4),
                       "phase": "mel" if stage.elapsed_s / budget_s < args.mel_share else "contrastive",
                       "a2t_accuracy": round(accuracy, 4), "pooled_accuracy": round(pooled, 4), "texts": len(stage.text_concepts),
                       "temperature": round(float(stage.model.temperature().detach()), 2),
                       "clips_per_s": round(len(seen) * args.batch * stage.processes / (last - since), 1)}
                print(json.dumps(row), file=log, flush=True)
                since, seen = last, []
            if last - saved > SAVE_EVERY_S:
                stage.save(args.out)
                saved = time.time()
    if stage.rank == 0:
        stage.save(args.out)


def main():
    args = arguments().parse_args()
    torch.manual_seed(args.seed)
    prepare(args.threads)
    if not args.resume and not args.init:
        raise SystemExit("--init (a stage 1 checkpoint) or --resume is needed")
    stage1 = load_checkpoint(args.init) if args.init else None
    model = with_audio(stage1) if stage1 else frozen_again(args.out / "nano.pt")
    stage = Stage2(model, Clips(), Tokenizer(BPE), args)
    if args.resume:
        stage.load(args.out)
    train(stage, args)


def frozen_again(path):
    """The model of an earlier stage 2 run, with the same tensors trainable."""
    model = load_checkpoint(path)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(is_trained(name))
    return model


if __name__ == "__main__":
    main()
