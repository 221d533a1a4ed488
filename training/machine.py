"""What training needs from the machine: CPU settings, devices, and several processes under torchrun."""
import ctypes
import os

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from .losses import Everyone

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h
_KEEP_BYTES = 1 << 30


def prepare(threads):
    """Threads of torch, and a malloc that keeps freed blocks: else half of the time goes into page faults (glibc only).

    On cores that other programs use as well, one thread is faster than two: two wait for each other in every operation.
    """
    torch.set_num_threads(threads)
    try:
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(_M_MMAP_THRESHOLD, _KEEP_BYTES)
        libc.mallopt(_M_TRIM_THRESHOLD, _KEEP_BYTES)
    except (OSError, AttributeError):
        pass  # not glibc: nothing to tune


def pick_device(name):
    """"cpu", "cuda" or "auto" -> torch.device; under torchrun each process takes its own GPU."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name != "cuda":
        return torch.device(name)
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
    torch.cuda.set_device(device)
    return device


def join(device):
    """(rank, processes) of this run; joins the others when torchrun started several."""
    processes = int(os.environ.get("WORLD_SIZE", 1))
    if processes > 1 and not dist.is_initialized():
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return (dist.get_rank(), processes) if processes > 1 else (0, 1)


def spread(module, fsdp):
    """The module as all processes call it: itself, or with averaged gradients (DDP), or with sharded weights (FSDP, in place)."""
    if not dist.is_initialized():
        return module
    if fsdp:
        from torch.distributed.fsdp import fully_shard  # torch 2.6 or newer

        scale = module.model.logit_scale
        module.model.logit_scale = torch.nn.Parameter(scale.detach().reshape(1), scale.requires_grad)  # FSDP takes no scalars
        for layer in module.model.encoder_wrapper.fusion_model.layers:
            fully_shard(layer)
        return fully_shard(module)
    # The warm start and frozen parts leave parameters without gradient, other ones from phase to phase.
    return DistributedDataParallel(module, find_unused_parameters=True)


def whole(value):
    """Tensors of nested dicts and lists gathered from their shards, on the CPU; all processes must call it."""
    if isinstance(value, dict):
        return {k: whole(v) for k, v in value.items()}
    if isinstance(value, list):
        return [whole(v) for v in value]
    if not isinstance(value, torch.Tensor):
        return value
    return (value.full_tensor() if hasattr(value, "full_tensor") else value).detach().cpu()


def sharded_like(tensor, parameter):
    """A whole tensor as `parameter` is kept: its shape (see `spread`), its device, and sharded if that is."""
    tensor = tensor.reshape(parameter.shape).to(parameter.device)
    if not hasattr(parameter, "full_tensor"):
        return tensor
    from torch.distributed.tensor import distribute_tensor

    return distribute_tensor(tensor, parameter.device_mesh, parameter.placements)


@torch.no_grad()
def gather(media, texts, concepts):
    """The embeddings of all processes (losses.Everyone), or None where there is one process."""
    if not dist.is_initialized():
        return None
    gathered = []
    for tensor in (media, texts, concepts):
        parts = [torch.empty_like(tensor) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, tensor.detach().contiguous())
        gathered.append(torch.cat(parts))
    return Everyone(*gathered, dist.get_rank() * len(media))


def from_first(value, device):
    """A number as process 0 knows it, so that all follow the same clock."""
    if not dist.is_initialized():
        return value
    shared = torch.tensor([value], dtype=torch.float64, device=device)
    dist.broadcast(shared, 0)
    return float(shared)
