"""What training needs from the machine: CPU settings, and several processes under torchrun."""
import ctypes
import os

import torch
import torch.distributed as dist

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


def join():
    """(rank, processes) of this run; joins the others when torchrun started several."""
    processes = int(os.environ.get("WORLD_SIZE", 1))
    if processes > 1 and not dist.is_initialized():
        dist.init_process_group("gloo")
    return (dist.get_rank(), processes) if processes > 1 else (0, 1)


def average_gradients(parameters, processes):
    """Mean gradient over all processes, as one message."""
    if processes == 1:
        return
    grads = [p.grad for p in parameters]
    flat = torch.cat([g.flatten() for g in grads])
    dist.all_reduce(flat)
    for grad, mean in zip(grads, (flat / processes).split([g.numel() for g in grads])):
        grad.copy_(mean.view_as(grad))


def from_first(value, processes):
    """A number as process 0 knows it, so that all follow the same clock."""
    if processes == 1:
        return value
    shared = torch.tensor([value], dtype=torch.float64)
    dist.broadcast(shared, 0)
    return float(shared)
