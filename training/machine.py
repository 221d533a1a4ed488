"""Settings of the CPU that training depends on."""
import ctypes

import torch

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
