"""Two processes on this machine train as one: gradients averaged (DDP) or weights sharded (FSDP), negatives shared."""
import json
import os
import socket

import pytest
import torch
import torch.distributed as dist

from training import loop, pretrain, stages
from training.machine import join
from training.material.paths import BPE
from training.nano import smoke_config
from training.onepeace.checkpoint import load_checkpoint
from training.onepeace.tokenizer import Tokenizer
from training.stages import STAGES
from training.tests.test_training import MATERIAL, options


def process(rank, port, stage, argv, out):
    """One process of two: trains and leaves its losses and its weights in `out`."""
    os.environ.update(RANK=str(rank), WORLD_SIZE="2", LOCAL_RANK=str(rank), MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    torch.set_num_threads(1)
    stages.nano_config, loop.LOG_EVERY = smoke_config, 1
    args, device = options(stage, out, *argv), torch.device("cpu")
    join(device)
    trainer = pretrain.Trainer(STAGES[stage](args, MATERIAL[stage](), Tokenizer(BPE), rank), args, device, rank)
    loop.train(trainer, args)
    torch.save(trainer.state()["task"], out / f"rank{rank}.pt")
    dist.barrier()
    os._exit(0)  # taking gloo down can hang for ever where the other process has ended already (seen with torch 1.13)


def together(stage, out, *argv):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torch.multiprocessing.spawn(process, (port, stage, argv, out), nprocs=2)
    return [torch.load(out / f"rank{rank}.pt") for rank in (0, 1)]


STAGE1 = ("--small-side", 48, "--final-side", 64, "--steps", 4)
STAGE2 = ("--steps", 4, "--mel-share", 0.3, "--freeze-convs")


def losses(out):
    return [json.loads(line)["loss"] for line in (out / "log.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def averaged(tmp_path_factory):
    """Folders of both stages, trained by two processes with averaged gradients, and the weights of each process."""
    first, second = tmp_path_factory.mktemp("stage1"), tmp_path_factory.mktemp("stage2")
    weights = together("image-text", first, *STAGE1)
    return first, second, weights, together("audio-text", second, "--init", first / "stage1.pt", *STAGE2)


def test_two_processes_keep_the_same_weights(averaged):
    first, _, *both = averaged
    for weights in both:
        assert all(torch.equal(weights[0][n], weights[1][n]) for n in weights[0])
    frozen = load_checkpoint(first / "stage1.pt")
    assert frozen.config.patch_image_size == 64  # grown on the way
    assert torch.equal(both[1][0]["model.text_proj.weight"], frozen.state_dict()["text_proj.weight"])
    assert not torch.equal(both[1][0]["model.audio_proj.weight"], frozen.state_dict()["text_proj.weight"])


@pytest.mark.skipif(tuple(int(n) for n in torch.__version__.split(".")[:2]) < (2, 6), reason="FSDP here needs torch 2.6")
def test_sharded_weights_learn_and_resume_as_whole_ones(averaged, tmp_path):
    """Sharding changes where weights lie, not what they become."""
    together("image-text", tmp_path, *STAGE1, "--fsdp", "--max-steps", 3)
    together("image-text", tmp_path, *STAGE1, "--fsdp", "--resume")
    assert losses(tmp_path) == pytest.approx(losses(averaged[0]), rel=1e-3)
    assert load_checkpoint(tmp_path / "stage1.pt").logit_scale.shape == ()
    second = tmp_path / "stage2"
    together("audio-text", second, "--init", averaged[0] / "stage1.pt", *STAGE2, "--fsdp")
    assert losses(second) == pytest.approx(losses(averaged[1]), rel=1e-3)
