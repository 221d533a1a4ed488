"""Style and placement augmentation of a batch of sprites, in torch on any device.

uint8 sprites (B, C, 96, 96) -> normalised pictures (B, 3, S, S). Style is what must generalise (docs/nano.md), so colours,
outlines, flatness, line art, placement and backgrounds vary; a good part stays plain on white, as users will send it.
"""
import math

import torch
import torch.nn.functional as F

MEAN = torch.tensor([0.48145466, 0.4578275, 0.40821073]).view(1, 3, 1, 1)  # §11
STD = torch.tensor([0.26862954, 0.26130258, 0.27577711]).view(1, 3, 1, 1)
LUMA = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)


def chance(batch, probability, generator):
    """float (B, 1, 1, 1) of zeros and ones."""
    return (torch.rand(batch, 1, 1, 1, generator=generator) < probability).float()


def uniform(batch, low, high, generator, channels=1):
    return torch.rand(batch, channels, 1, 1, generator=generator) * (high - low) + low


def place(sprites, side, may_flip, generator):
    """Random scale, rotation, shear, aspect and position: premultiplied RGBA (B, 4, side, side) in 0..1."""
    batch = sprites.shape[0]
    mild = chance(batch, 0.4, generator).view(-1)  # 1 keeps the sprite nearly as drawn
    u = lambda low, high: torch.rand(batch, generator=generator) * (high - low) + low
    scale = 1 / torch.where(mild > 0, u(0.85, 1.02), u(0.6, 1.1))
    angle = u(-0.3, 0.3) * (1 - mild)
    aspect, shear = torch.exp(u(-0.15, 0.15) * (1 - mild)), u(-0.15, 0.15) * (1 - mild)
    flip = 1 - 2 * ((torch.rand(batch, generator=generator) < 0.3) & may_flip).float()
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    room = (scale - 1).clamp(min=0.06)  # how far the sprite may leave the middle
    theta = torch.stack([
        torch.stack([cos * aspect * flip, -sin + shear, u(-1, 1) * room * (1 - 0.7 * mild)], dim=1),
        torch.stack([sin, cos / aspect, u(-1, 1) * room * (1 - 0.7 * mild)], dim=1)], dim=1)
    grid = F.affine_grid(theta, (batch, 4, side, side), align_corners=False)
    rgba = sprites.float() / 255
    rgba[:, :3] *= rgba[:, 3:]
    if side < sprites.shape[-1] * 0.75:  # a light blur against aliasing before shrinking
        rgba = F.avg_pool2d(rgba, 2, stride=1, padding=1)
    return F.grid_sample(rgba, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def hue_matrices(batch, generator):
    """(B, 3, 3): rotation of the colour cube about grey, by any angle for one in four, else slightly."""
    angle = torch.randn(batch, generator=generator) * 0.12
    wild = torch.rand(batch, generator=generator) < 0.25
    angle = torch.where(wild, torch.rand(batch, generator=generator) * 2 * math.pi, angle)
    c, s = torch.cos(angle).view(-1, 1, 1), torch.sin(angle).view(-1, 1, 1)
    mean = torch.full((1, 3, 3), 1 / 3)
    cross = torch.tensor([[[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]]]) / math.sqrt(3)
    return c * torch.eye(3).view(1, 3, 3) + (1 - c) * mean + s * cross


def edges(grey, alpha):
    """Line strength (B, 1, S, S) from brightness and silhouette."""
    both = torch.cat([grey, alpha], dim=1)
    dx = F.pad((both[..., 1:] - both[..., :-1]).abs(), (0, 1))
    dy = F.pad((both[..., 1:, :] - both[..., :-1, :]).abs(), (0, 0, 0, 1))
    return ((dx + dy).sum(1, keepdim=True) * 2.5).clamp(0, 1)


def restyle(rgb, alpha, generator):
    """rgb (B, 3, S, S) straight colours, alpha (B, 1, S, S) -> the same in another style."""
    batch = rgb.shape[0]
    mix = lambda mask, new, old: old + mask * (new - old)
    rgb = (hue_matrices(batch, generator) @ rgb.flatten(2)).view_as(rgb)
    contrast, brightness = uniform(batch, 0.7, 1.35, generator), uniform(batch, -0.15, 0.15, generator)
    rgb = ((rgb - 0.5) * contrast + 0.5 + brightness).clamp(0, 1)
    levels = torch.floor(uniform(batch, 2, 6, generator))
    rgb = mix(chance(batch, 0.2, generator), torch.round(rgb * levels) / levels, rgb)  # flat, posterised colours
    grey = (rgb * LUMA).sum(1, keepdim=True)
    rgb = mix(chance(batch, 0.15, generator) * uniform(batch, 0.5, 1, generator), grey, rgb)
    rgb = mix(chance(batch, 0.04, generator), 1 - rgb, rgb)
    rgb = mix(chance(batch, 0.05, generator), uniform(batch, 0, 0.8, generator, 3).expand_as(rgb), rgb)  # silhouette
    lines = edges(grey, alpha)
    ink = uniform(batch, 0, 0.3, generator, 3)
    drawn = chance(batch, 0.10, generator)  # line art: only the edges stay
    rgb, alpha = mix(drawn, ink.expand_as(rgb), rgb), mix(drawn, lines, alpha)
    inked = chance(batch, 0.15, generator) * (1 - drawn) * lines  # coloured, with inner lines
    rgb = mix(inked, ink.expand_as(rgb), rgb)
    grown = F.max_pool2d(alpha, 3, stride=1, padding=1)
    outlined = chance(batch, 0.15, generator) * (grown - alpha).clamp(0, 1)  # an outline around it
    return mix((outlined > 0.02).float(), uniform(batch, 0, 1, generator, 3).expand_as(rgb), rgb), torch.maximum(alpha, outlined)


def drawn_backgrounds(batch, generator):
    """What `painted` makes backgrounds of: white for 45 %, else plain, gradient or noisy; tensors with B first."""
    first, second = torch.rand(2, batch, 3, 1, 1, generator=generator)
    turn, is_gradient = uniform(batch, 0, 1, generator), chance(batch, 0.4, generator)
    coarse = torch.rand(batch, 3, 6, 6, generator=generator) - 0.5
    return first, second, turn, is_gradient, coarse, chance(batch, 0.3, generator), chance(batch, 0.45, generator)


def painted(side, first, second, turn, is_gradient, coarse, is_noisy, white):
    """(B, 3, S, S)"""
    ramp = torch.linspace(0, 1, side)
    gradient = (turn * ramp.view(1, 1, 1, -1) + (1 - turn) * ramp.view(1, 1, -1, 1)) * is_gradient
    texture = F.interpolate(coarse, size=(side, side), mode="bilinear", align_corners=False)
    plain = first + gradient * (second - first) + texture * is_noisy
    return (white + (1 - white) * plain).clamp(0, 1)


def compose(sprites, side, may_flip, generator):
    """uint8 (B, 4, 96, 96), bool (B,) -> normalised float (B, 3, side, side)."""
    placed = place(sprites, side, may_flip, generator)
    alpha = placed[:, 3:].clamp(0, 1)
    rgb = (placed[:, :3] / alpha.clamp(min=1e-3)).clamp(0, 1)
    rgb, alpha = restyle(rgb, alpha, generator)
    picture = rgb * alpha + painted(side, *drawn_backgrounds(sprites.shape[0], generator)) * (1 - alpha)
    return (picture.clamp(0, 1) - MEAN) / STD
