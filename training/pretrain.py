"""Pre-training, one trainer for both stages (§13): contrastive and denoising contrastive, image-text, then audio-text.

    python -m training.pretrain image-text --out training/runs/stage1 --minutes 45
    python -m training.pretrain audio-text --init training/runs/stage1/stage1.pt --out training/runs/stage2 --minutes 25
    python -m training.pretrain image-text --out training/runs/stage1 --minutes 90 --resume    # goes on, up to 90 minutes in all
    torchrun --nproc_per_node 8 -m training.pretrain …                                         # one process a GPU or core

Writes log.jsonl, state.pt (all that is needed to resume) and stage1.pt or nano.pt: averaged weights in the official layout of
a retrieval checkpoint, without the decoder.
"""
import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from .loop import progress_of, train
from .losses import total
from .machine import join, pick_device, prepare, sharded_like, spread, whole
from .material.paths import BPE
from .nano import FINAL_SIDE_PX
from .onepeace.checkpoint import save_checkpoint
from .onepeace.config import Config
from .onepeace.model import OnePeace
from .onepeace.preserve import Mask
from .onepeace.tokenizer import Tokenizer
from .schedule import Average, adamw, learning_rate
from .stages import STAGES, fill

CLIP = 3.0  # of the gradient's norm (§13.4)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    stages = parser.add_subparsers(dest="stage", required=True)
    image = stages.add_parser("image-text", help="stage 1")
    image.add_argument("--small-side", type=int, default=64, help="picture side of the first part, pixels")
    image.add_argument("--final-side", type=int, default=FINAL_SIDE_PX)
    image.add_argument("--small-share", type=float, default=0.5, help="part of the budget at the small side")
    audio = stages.add_parser("audio-text", help="stage 2")
    audio.add_argument("--mel-share", type=float, default=0.06, help="part of the budget for the front end's warm start")
    audio.add_argument("--fresh-audio", action="store_true", help="forget the audio branch that --init may have (ablation)")
    audio.add_argument("--pooled-share", type=float, default=0.5,
                       help="of the contrastive loss at first, on the adapter's tokens; 0 to go on with a trained audio branch")
    audio.add_argument("--drop-path", type=float, default=0.0, help="stochastic depth of the last layer, less in the others")
    audio.add_argument("--freeze-convs", action="store_true", help="keep the convolutions as the warm start left them: faster")
    audio.add_argument("--no-freeze", action="store_true", help="text and shared weights learn as well (ablation)")
    for stage in (image, audio):
        stage.add_argument("--out", type=Path, required=True)
        stage.add_argument("--init", type=Path, help="checkpoint to begin with; audio-text needs one of image-text")
        stage.add_argument("--tasks", type=lambda t: t.split(","), default=["contrastive", "denoising"],
                           help="contrastive or contrastive,denoising (default)")
        stage.add_argument("--minutes", type=float, help="training time in all, resumed parts included")
        stage.add_argument("--steps", type=int, help="steps in all, in place of minutes: the schedule is then reproducible")
        stage.add_argument("--max-steps", type=int, help="stop (and save) after so many, without changing the schedule")
        stage.add_argument("--batch", type=int, help="pairs, of each process")
        stage.add_argument("--denoising-share", type=float, default=0.25, help="part of the batch for the masked passes")
        stage.add_argument("--lr", type=float)
        stage.add_argument("--layer-decay", type=float, default=1.0, help="learning rate of a layer over that of the next")
        stage.add_argument("--warmup", type=int, help="steps")
        stage.add_argument("--average", type=float, help="decay of the moving average of weights")
        stage.add_argument("--seed", type=int)
        stage.add_argument("--threads", type=int, default=1, help="of the training process; see machine.py")
        stage.add_argument("--workers", type=int, default=1, help="processes that draw batches")
        stage.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
        stage.add_argument("--fsdp", action="store_true", help="shard weights over the processes of torchrun (torch 2.6)")
        stage.add_argument("--fp32", action="store_true", help="no bf16 autocast")
        stage.add_argument("--resume", action="store_true")
    image.set_defaults(minutes=45, batch=256, lr=1e-3, warmup=300, average=0.999, seed=1)
    audio.set_defaults(minutes=25, batch=48, lr=1.5e-3, warmup=150, average=0.998, seed=2)
    return parser


class Trainer:
    """One stage's task, optimiser and average, with one `step`."""

    def __init__(self, stage, args, device, rank=0):
        self.stage, self.args, self.device, self.rank = stage, args, device, rank
        self.steps, self.elapsed_s = 0, 0.0
        torch.manual_seed(args.seed)
        if args.resume:
            self.load(args.out)
        else:
            self.adopt(stage.task(stage.model()))

    def adopt(self, task, average=None, optimizer=None):
        """Takes a new, loaded or grown task into training; the moments of parameters that changed shape start afresh."""
        self.task = task.to(self.device).train()
        self.config = task.model.config
        self.forward = spread(self.task, self.args.fsdp)
        self.stream = self.stage.stream(self.config, self.steps)
        self.average = Average(self.task, self.args.average)
        self.optimizer = adamw(self.task.named_parameters(), self.args.lr, layer_decay=self.args.layer_decay,
                               layers=self.config.layers)
        parameters = dict(self.task.named_parameters())
        if average:
            self.average.values.update({n: sharded_like(v, parameters[n]) for n, v in average.items()})
            self.average.updates = self.steps
        if optimizer:
            order = [p for group in self.optimizer.param_groups for p in group["params"]]
            kept = {i: {k: v if k == "step" else sharded_like(v, order[i]) for k, v in moments.items()}
                    for i, moments in optimizer["state"].items() if moments["exp_avg"].numel() == order[i].numel()}
            self.optimizer.load_state_dict({**optimizer, "state": kept})

    def grow_to(self, side_px):
        """Goes on with larger pictures: relative tables are enlarged (§6.4), all else is kept."""
        state = self.state()
        config = replace(self.config, image_rel_bucket_size=side_px // 16)
        bigger = lambda tensors: fill(self.stage.empty(config), {k[len("model."):]: v for k, v in tensors.items()})
        average = {f"model.{k}": v for k, v in bigger({**state["task"], **state["average"]}).state_dict().items()}
        self.adopt(self.stage.task(bigger(state["task"])), {k: average[k] for k in state["average"]}, state["optimizer"])

    def step(self):
        """One batch -> {name: number} of what the log shows, as tensors."""
        progress = progress_of(self)
        side = self.stage.side(progress)
        if side and side > self.config.patch_image_size:
            self.grow_to(side)
        self.stage.begin(self.task, progress)
        seed = np.random.SeedSequence([self.args.seed, self.rank, self.steps]).generate_state(1)
        torch.manual_seed(int(seed[0]))  # of stochastic depth
        inputs = self.stage.inputs(next(self.stream), self.config, self.steps, progress)
        terms, watched = self.forward(**moved(inputs, self.device))
        loss = total(terms, self.stage.weights(progress))
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        rate = learning_rate(self.args.lr, progress, self.steps, self.args.warmup)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["scale"]
        nn.utils.clip_grad_norm_([p for p in self.task.parameters() if p.grad is not None], CLIP)
        self.optimizer.step()
        self.average.update(self.task)
        self.steps += 1
        return {name: value.detach() for name, value in {"loss": loss, **terms, **watched}.items()}

    def state(self):
        """All that is needed to resume, gathered from all processes."""
        return {"task": whole(self.task.state_dict()), "average": whole(self.average.values),
                "optimizer": whole(self.optimizer.state_dict()), "config": self.config.__dict__, "steps": self.steps,
                "elapsed_s": self.elapsed_s}

    def save(self, out):
        """state.pt and the averaged model, each written beside and moved into place."""
        state = self.state()
        if self.rank:
            return
        torch.save(state, out / "state.tmp")
        (out / "state.tmp").rename(out / "state.pt")
        averaged = {k[len("model."):]: v for k, v in {**state["task"], **state["average"]}.items() if k.startswith("model.")}
        exported = fill(OnePeace(self.config), averaged)  # leaves the decoder out
        save_checkpoint(out / "export.tmp", exported, {"steps": self.steps, "stage": self.stage.name, "tasks": self.args.tasks})
        (out / "export.tmp").rename(out / self.stage.exported)

    def load(self, out):
        """Raises RuntimeError that names tensors where the state is of other --tasks."""
        state = torch.load(out / "state.pt", map_location="cpu")
        self.steps, self.elapsed_s = state["steps"], state["elapsed_s"]
        task = self.stage.task(self.stage.empty(Config(**state["config"])))
        task.load_state_dict(state["task"])
        self.adopt(task, state["average"], state["optimizer"])


def moved(value, device):
    """Tensors of nested dicts and masks on the device."""
    if isinstance(value, dict):
        return {k: moved(v, device) for k, v in value.items()}
    return value.to(device) if isinstance(value, (torch.Tensor, Mask)) else value


def material_of(stage):
    """The training material of a stage, read once."""
    if stage == "image-text":
        from .material.pictures import Pictures

        return Pictures()
    from .material.clips import Clips

    return Clips()


def main():
    args = arguments().parse_args()
    prepare(args.threads)
    device = pick_device(args.device)
    rank, _ = join(device)
    stage = STAGES[args.stage](args, material_of(args.stage), Tokenizer(BPE), rank)
    train(Trainer(stage, args, device, rank), args)


if __name__ == "__main__":
    main()
