"""Relative position buckets and the interpolation of position tables (§5.1, §6.1, §6.2, §6.4)."""
from functools import lru_cache
import math

import torch
import torch.nn.functional as F

MAX_POSITIONS = 1024


@lru_cache(maxsize=256)
def token_buckets(bucket_size, length, device=None):
    """int64 (length, length): table row of (query, key) for text and audio; position 0 is CLS (§5.1). Not to be written to."""
    rel = torch.arange(length)[:, None] - torch.arange(length)[None, :]  # query - key
    mid = bucket_size // 2
    far = rel.abs().clamp(min=1).double()
    log_pos = torch.ceil(torch.log(far / mid) / math.log((MAX_POSITIONS - 1) / mid) * (mid - 1)) + mid
    index = torch.where(rel.abs() <= mid, rel, (torch.sign(rel) * log_pos).long()) + bucket_size - 1
    index[0, :], index[:, 0], index[0, 0] = 2 * bucket_size - 1, 2 * bucket_size, 2 * bucket_size + 1
    return index.to(device)


@lru_cache(maxsize=16)
def image_buckets(side, device=None):
    """int64 (side²+1, side²+1): table row of (query, key) of a grid with CLS first (§6.2). Not to be written to."""
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    y, x = y.flatten(), x.flatten()
    grid = (y[:, None] - y[None] + side - 1) * (2 * side - 1) + (x[:, None] - x[None] + side - 1)
    rows = (2 * side - 1) ** 2 + 3
    index = torch.empty(side * side + 1, side * side + 1, dtype=torch.long)
    index[1:, 1:] = grid
    index[0, :], index[:, 0], index[0, 0] = rows - 3, rows - 2, rows - 1
    return index.to(device)


def relative_bias(table, buckets):
    """(rows, H) table and (T, T) buckets -> bias (1, H, T, T)."""
    return F.embedding(buckets, table).permute(2, 0, 1).unsqueeze(0)


def interpolate_pos_embed(pos_embed, grid):
    """(b²+1, D) -> (grid²+1, D): bicubic, no antialias, CLS row kept (§6.1)."""
    side = math.isqrt(pos_embed.shape[0] - 1)
    if side == grid:
        return pos_embed
    square = pos_embed[1:].float().reshape(1, side, side, -1).permute(0, 3, 1, 2)  # (1, D, b, b)
    resized = F.interpolate(square, size=(grid, grid), mode="bicubic", align_corners=False)
    return torch.cat([pos_embed[:1], resized.flatten(2)[0].t().to(pos_embed.dtype)])


def enlarge_rel_pos_table(table, side):
    """(rows, H) image table -> ((2·side-1)²+3, H): geometric source grid, not-a-knot cubic spline (§6.4)."""
    from scipy.interpolate import RectBivariateSpline  # only needed when the picture grows

    src, dst = math.isqrt(table.shape[0] - 3), 2 * side - 1
    if src == dst:
        return table
    if src > dst:
        raise ValueError(f"relative table of grid {(src + 1) // 2} cannot shrink to {side}")
    half, reach = src // 2, dst // 2
    left, right = 1.01, 1.5
    while right - left > 1e-6:
        q = (left + right) / 2
        if (1 - q**half) / (1 - q) > reach:
            right = q
        else:
            left = q
    positive = [sum(q**i for i in range(n)) for n in range(1, half + 1)]
    source = [-p for p in reversed(positive)] + [0.0] + positive
    target = [float(t) for t in range(-reach, reach + 1)]
    grids = table[:-3].double().reshape(src, src, -1).permute(2, 0, 1)  # (H, y, x)
    heads = [torch.from_numpy(RectBivariateSpline(source, source, g.numpy(), s=0)(target, target)) for g in grids]
    enlarged = torch.stack(heads).flatten(1).t().to(table.dtype)  # (dst², H)
    return torch.cat([enlarged, table[-3:]])


def centre_rel_pos_table(table, side):
    """(rows, H) image table -> that of a smaller grid: the distances which the smaller grid has, and the three rows of CLS.

    The inverse of the enlargement as far as there is one: it keeps distance 1 at 1 and stretches only the far ones (§6.4).
    """
    whole, part = math.isqrt(table.shape[0] - 3), 2 * side - 1
    edge = (whole - part) // 2
    grid = table[:-3].reshape(whole, whole, -1)[edge : edge + part, edge : edge + part]
    return torch.cat([grid.flatten(0, 1), table[-3:]])


def fit_rel_pos_table(table, side):
    """(rows, H) image table -> that of a grid of `side`, larger, equal or smaller."""
    smaller = 2 * side - 1 < math.isqrt(table.shape[0] - 3)
    return centre_rel_pos_table(table, side) if smaller else enlarge_rel_pos_table(table, side)
