"""Fine-tuning: several heads on one trunk, so that a bundle holds the trunk once (§4.4, §13.5).

    python -m training.finetune pictures --init training/runs/stage1/stage1.pt --out training/runs/pictures --minutes 40
    python -m training.finetune sounds   --init training/runs/stage2/nano.pt   --out training/runs/sounds   --minutes 15

`pictures` trains grounding, picture questions, pair reasoning and segmentation on scenes; `sounds` sound questions; `labels`
picture and sound classes. Writes log.jsonl, state.pt (to resume) and one checkpoint a head with its labels: grounding.pt,
picture-qa.pt, picture-qa.labels.json, … The trunk is the same in all of them, to the bit.
"""
import argparse
import json
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from .finetune_aids import pointing_loss
from .finetune_groups import GROUPS
from .loop import progress_of, train
from .machine import pick_device, prepare
from .material.paths import BPE
from .onepeace.checkpoint import load_exactly
from .onepeace.config import config_from_cfg
from .onepeace.encoder import EncoderWrapper
from .onepeace.heads import FineTuned, head_config, save_fine_tuned
from .onepeace.model import initialise
from .onepeace.relative_position import enlarge_rel_pos_table
from .onepeace.tokenizer import Tokenizer
from .schedule import Average, adamw, learning_rate

CLIP = 3.0  # of the gradient's norm
TRUNK = "encoder_wrapper."


def shares(text):
    """"a=1,b=0.2" -> {"a": 1.0, "b": 0.2}."""
    return {name: float(part) for name, _, part in (pair.partition("=") for pair in text.split(","))}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("group", choices=sorted(GROUPS))
    parser.add_argument("--init", type=Path, help="pre-trained checkpoint; not needed to resume")
    parser.add_argument("--trunk", type=Path, help="fine-tuned checkpoint whose trunk replaces that part of --init, to go on with")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=30, help="training time in all, resumed parts included")
    parser.add_argument("--steps", type=int, help="steps in all, in place of minutes")
    parser.add_argument("--max-steps", type=int, help="stop (and save) after so many, without changing the schedule")
    parser.add_argument("--batch", type=int, default=48, help="scenes or clips a step; each task takes its share of them")
    parser.add_argument("--shares", type=shares, help="tasks and their parts of the batch, for example grounding=1,segmentation=0.2: "
                        "the others of the group are left out (default: all, see finetune_batches.py)")
    parser.add_argument("--warm-share", type=float, default=0.0,
                        help="part of the time in which `pictures` learns masks and patches alone: a scene costs a third then")
    parser.add_argument("--side", type=int, default=128, help="picture side, pixels")
    parser.add_argument("--lr", type=float, default=6e-4)
    parser.add_argument("--layer-decay", type=float, default=0.9, help="learning rate of a layer over that of the next (§13.4)")
    parser.add_argument("--warmup", type=int, default=200, help="steps")
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1, help="of the training process; see machine.py")
    parser.add_argument("--workers", type=int, default=1, help="processes that draw batches")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--fp32", action="store_true", help="no bf16 autocast")
    parser.add_argument("--resume", action="store_true")
    return parser


def trunk_of(path, head, side, newer=None):
    """(config, encoder) for a group of heads: a pre-trained encoder, one relative table a layer, pictures of `side` pixels.

    newer: a fine-tuned checkpoint, perhaps of fewer branches, whose tensors are taken where it has them.
    """
    file = torch.load(path, map_location="cpu")
    tensors = {k: v.float() for k, v in file["model"].items()}
    pretrained = config_from_cfg(file["cfg"], tensors[TRUNK + "text_adapter.embed_tokens.weight"].shape[0])
    if newer:
        file = torch.load(newer, map_location="cpu")
        tensors.update({k: v.float() for k, v in file["model"].items()})
        pretrained = replace(pretrained, image_bucket_size=config_from_cfg(file["cfg"], 4).image_bucket_size)
    config = head_config(pretrained, head, side)
    encoder = EncoderWrapper(config)
    own = encoder.state_dict()
    load_exactly(encoder, {k: fitted(k, tensors, config, v) for k, v in own.items()})
    return config, encoder


def fitted(name, tensors, config, fresh):
    """The pre-trained tensor for `name`: the one shared relative table serves each layer; type embeddings begin as they are."""
    if "type_embedding" in name:
        return tensors.get(TRUNK + name, fresh)
    if "rel_pos_table_list" not in name:
        return tensors[TRUNK + name]
    shared = name.rsplit(".", 2)[0] + ".0.weight"
    table = tensors.get(TRUNK + name, tensors[TRUNK + shared])
    return enlarge_rel_pos_table(table, config.image_rel_bucket_size) if name.startswith("image_adapter") else table


class Trainer:
    """Trunk, heads, optimiser and averages of one group, with one `step`."""

    def __init__(self, group, config, encoder, tokenizer, args):
        self.args, self.config, self.device = args, config, pick_device(args.device)
        self.tasks = {task.name: task for task in group.tasks() if not args.shares or task.name in args.shares}
        group.begin(encoder)
        self.model = nn.ModuleDict({name: FineTuned(config, task.head, encoder) for name, task in self.tasks.items()})
        aids = {name: task.aid(config.embed_dim) for name, task in self.tasks.items()}
        self.aids = nn.ModuleDict({name: aid for name, aid in aids.items() if aid})  # dropped after training
        if group.shown:
            self.aids["shown"] = group.shown(config.embed_dim)
        self.middle = []  # (B, T, D) two thirds up, of each pass
        above = config.layers * 2 // 3
        encoder.fusion_model.layers[above - 1].register_forward_hook(lambda _m, _i, out: self.middle.append(out))
        self.attended = []  # (attention, its input) of the layers above, of each pass
        for layer in encoder.fusion_model.layers[above:]:
            layer.self_attn.register_forward_pre_hook(lambda attention, given: self.attended.append((attention, given[0])))
        for name, parameter in encoder.named_parameters():
            parameter.requires_grad_(not group.is_frozen(name, config.layers))
        self.aids.apply(initialise)
        self.model.to(self.device).train(), self.aids.to(self.device)
        self.average = Average(self.model, 0.998)
        named = [*self.model.named_parameters(), *self.aids.named_parameters()]
        self.optimizer = adamw(named, args.lr, layer_decay=args.layer_decay, layers=config.layers)
        self.group, self.tokenizer, self.stream, self.warm = group, tokenizer, None, False
        self.rank, self.steps, self.elapsed_s = 0, 0, 0.0

    def step(self):
        """One batch through every task -> {"task loss", "task accuracy": tensor} of what the log shows."""
        progress = progress_of(self)
        batch = self.next_batch(warm=progress < self.args.warm_share)
        for group in self.optimizer.param_groups:
            group["lr"] = group["scale"] * learning_rate(self.args.lr, progress, self.steps, self.args.warmup)
        self.optimizer.zero_grad(set_to_none=True)
        seen = {}
        for name, task in self.tasks.items():
            if name not in batch:
                continue
            inputs = {k: v.to(self.device) for k, v in batch[name].items()}
            self.middle.clear(), self.attended.clear()
            with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=not self.args.fp32):
                loss, accuracy = task.loss(self.model[name], self.aids[name] if name in self.aids else None, inputs)
                seen.update({f"{name} {term}": value for term, value in task.terms.items()})
                on_scenes = "shown" in self.aids and "names" in inputs
                shown = self.aids["shown"].loss(self.model[name].hidden, self.middle[0], inputs) if on_scenes else None
                if on_scenes and "said_names" in inputs:
                    layers = self.attended[: self.config.layers - self.config.layers * 2 // 3]  # of the first picture
                    seen[f"{name} pointing"] = pointing = pointing_loss(*layers[0], inputs)
                    shown = shown + pointing + sum(0.5 * pointing_loss(*layer, inputs, False) for layer in layers[1:])
            (loss if shown is None else loss + shown).backward()
            seen.update({f"{name} loss": loss.detach(), f"{name} accuracy": accuracy.detach()})
            if shown is not None:
                seen[f"{name} shown"] = shown.detach()
        trained = [p for group in self.optimizer.param_groups for p in group["params"] if p.grad is not None]
        nn.utils.clip_grad_norm_(trained, CLIP)
        self.optimizer.step()
        self.average.update(self.model)
        self.steps += 1
        return {name: value.detach() for name, value in seen.items()}

    def next_batch(self, warm):
        if self.stream is None or self.warm != warm:
            self.stream, self.warm = self.group.batches(self.args, self.tokenizer, self.steps, warm), warm
        return next(self.stream)

    def save(self, out):
        """state.pt, then each head's averaged checkpoint and labels, each written beside and moved into place."""
        state = {"model": self.model.state_dict(), "aids": self.aids.state_dict(), "average": self.average.values,
                 "optimizer": self.optimizer.state_dict(), "config": self.config, "steps": self.steps,
                 "elapsed_s": self.elapsed_s}
        torch.save(state, out / "state.tmp")
        (out / "state.tmp").rename(out / "state.pt")
        averaged = self.average.state(self.model)
        trunk_owner = next(iter(self.tasks))  # named_parameters() names a shared tensor once, under the first model
        for name, task in self.tasks.items():
            own = {k[len(name) + 1:]: v for k, v in averaged.items() if k.startswith(f"{name}.")}
            own.update({k: averaged[f"{trunk_owner}.{k}"] for k in own if k.startswith(TRUNK)})
            config = replace(self.config, head_type=task.head.head_type)
            other = [m for m in self.config.branches if m not in config.branches]
            own = {k: v for k, v in own.items() if not any(f"{m}_" in k for m in other)}
            save_fine_tuned(out / f"{name}.tmp", config, task.head, own, {"steps": self.steps})
            (out / f"{name}.tmp").rename(out / f"{name}.pt")
            if task.labels:
                (out / f"{name}.labels.json").write_text(json.dumps(task.labels))

    def begin_with(self, path):
        """Takes the heads that lie beside a fine-tuned checkpoint, it included, and what helped to train them."""
        for name, model in self.model.items():
            if (path.parent / f"{name}.pt").exists():
                tensors = torch.load(path.parent / f"{name}.pt", map_location="cpu")["model"]
                model.load_state_dict({k: v for k, v in tensors.items() if not k.startswith(TRUNK)}, strict=False)
        if (path.parent / "state.pt").exists():
            self.aids.load_state_dict(torch.load(path.parent / "state.pt", weights_only=False)["aids"], strict=False)
        self.average = Average(self.model, self.average.decay)

    def load(self, out):
        state = torch.load(out / "state.pt", map_location="cpu", weights_only=False)
        self.model.load_state_dict(state["model"])
        self.aids.load_state_dict(state["aids"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.average.values, self.average.updates = state["average"], state["steps"]
        self.steps, self.elapsed_s = state["steps"], state["elapsed_s"]


def main():
    args = arguments().parse_args()
    torch.manual_seed(args.seed)
    prepare(args.threads)
    group = GROUPS[args.group]
    if not args.resume and not args.init:
        raise SystemExit("--init (a pre-trained checkpoint) or --resume is needed")
    source = args.out / f"{group.first}.pt" if args.resume else args.init
    config, encoder = trunk_of(source, group.trunk, args.side, None if args.resume else args.trunk)
    trainer = Trainer(group, config, encoder, Tokenizer(BPE), args)
    if args.resume:
        trainer.load(args.out)
    elif args.trunk:
        trainer.begin_with(args.trunk)
    else:
        group.start(trainer)
    train(trainer, args)


if __name__ == "__main__":
    main()
