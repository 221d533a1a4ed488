"""Which tokens are masked in the denoising task (§13.3). Everything follows from the random generator that is passed in.

Position 0 (CLS) and </s> are never masked. Sources: the specification's reading of the reference, data_utils.py:68-211.
"""
import math
from typing import NamedTuple

import numpy as np
import torch

from .onepeace.preserve import Mask
from .onepeace.tokenizer import EOS, PAD

BLOCK, BLOCK_ADJUST = 5, 0.1  # audio: frames a block, and how much more than the ratio is drawn before the count is corrected


class Ratios(NamedTuple):
    """Masked shares (§13.3)."""

    text: float = 0.15  # of the words
    image: float = 0.75
    vl_text: float = 0.4  # of the tokens
    vl_image: float = 0.6875
    audio: float = 0.55
    al_text: float = 0.4  # of the words
    al_audio: float = 0.45


def image_text_masks(ids, word_starts, grid, rng, ratios=Ratios()):
    """{"text", "image", "vl"} -> {modality: Mask}. ids int64 (B, T-1); grid: side of the picture in tokens.

    The joint pass masks what the unimodal ones kept: other words, and the complement of the picture's mask with a part of it.
    """
    ids = np.asarray(ids)
    text = whole_words(ids, word_starts, ratios.text, rng)
    image = grid_masks(len(ids), grid * grid, ratios.image, rng)
    vl_text = other_tokens(ids, text, ratios.vl_text, rng)
    vl_image = complement(image, ratios.vl_image, rng)
    padding, none = padded(ids), np.zeros_like(image)
    return {"text": {"text": as_mask(text, padding)}, "image": {"image": as_mask(image, none)},
            "vl": {"text": as_mask(vl_text, padding), "image": as_mask(vl_image, none)}}


def audio_text_masks(ids, frames, word_starts, rng, ratios=Ratios()):
    """{"audio", "al"} -> {modality: Mask}. frames: number of audio frames of each clip, list of B."""
    ids, longest = np.asarray(ids), max(frames)
    padding = np.arange(longest + 1)[None] > np.asarray(frames)[:, None]
    audio, al_audio = (block_masks(frames, longest, ratio, rng) for ratio in (ratios.audio, ratios.al_audio))
    al_text = whole_words(ids, word_starts, ratios.al_text, rng)
    return {"audio": {"audio": as_mask(audio, padding)},
            "al": {"text": as_mask(al_text, padded(ids)), "audio": as_mask(al_audio, padding)}}


def padded(ids):
    """bool (B, T) with CLS first."""
    return np.concatenate([np.zeros((len(ids), 1), bool), ids == PAD], axis=1)


def as_mask(masked, padding):
    """bool (B, T) twice -> Mask; preserved indices ascend and are right padded with -1."""
    keep = ~(masked | padding)
    order = np.argsort(~keep, axis=1, kind="stable")[:, : keep.sum(1).max()]
    preserve = np.where(np.take_along_axis(keep, order, axis=1), order, -1)
    return Mask(torch.from_numpy(masked), torch.from_numpy(preserve))


def whole_words(ids, word_starts, ratio, rng):
    """Masks ceil(ratio * words) whole words of each text: bool (B, T)."""
    masked = np.zeros((len(ids), ids.shape[1] + 1), bool)
    for row, tokens in enumerate(ids):
        length = int((tokens != PAD).sum()) - int(EOS in tokens)
        starts = [i for i in range(length) if i == 0 or word_starts[tokens[i]]]
        chosen = rng.permutation(len(starts))[: math.ceil(len(starts) * ratio)]
        for word in chosen:
            end = starts[word + 1] if word + 1 < len(starts) else length
            masked[row, 1 + starts[word] : 1 + end] = True
    return masked


def other_tokens(ids, taken, ratio, rng):
    """Masks int(ratio * tokens) tokens of each text that `taken` does not mask: bool (B, T)."""
    masked = np.zeros_like(taken)
    for row, tokens in enumerate(ids):
        words = 1 + np.flatnonzero((tokens != PAD) & (tokens != EOS))
        masked[row, rng.permutation(words[~taken[row, words]])[: int(len(words) * ratio)]] = True
    return masked


def smallest(scores, count):
    """bool like scores (B, n): the `count` smallest of each row."""
    chosen = np.zeros(scores.shape, bool)
    np.put_along_axis(chosen, np.argsort(scores, axis=1)[:, :count], True, axis=1)
    return chosen


def with_cls(masked):
    return np.concatenate([np.zeros((len(masked), 1), bool), masked], axis=1)


def grid_masks(batch, tokens, ratio, rng):
    """Masks int(ratio * tokens) random places of each picture: bool (B, tokens + 1)."""
    return with_cls(smallest(rng.random((batch, tokens)), int(tokens * ratio)))


def complement(masked, ratio, rng):
    """Masks all places that `masked` leaves free, and a random part of the others up to int(ratio * tokens)."""
    tokens = masked.shape[1] - 1
    return with_cls(smallest(rng.random((len(masked), tokens)) + masked[:, 1:], int(tokens * ratio)))


def block_masks(frames, longest, ratio, rng):
    """Masks exactly int(ratio * n) of each clip's n frames, mostly in blocks of five: bool (B, longest + 1)."""
    masked = np.zeros((len(frames), longest + 1), bool)
    for row, n in enumerate(frames):
        own, wanted = np.zeros(n, bool), int(n * ratio)
        centres = rng.integers(n, size=int(n * (ratio + BLOCK_ADJUST) / BLOCK))
        own[np.clip(centres[:, None] + np.arange(BLOCK) - BLOCK // 2, 0, n - 1)] = True
        surplus = int(own.sum()) - wanted
        change = rng.permutation(np.flatnonzero(own if surplus > 0 else ~own))[: abs(surplus)]
        own[change] = surplus < 0
        masked[row, 1 : n + 1] = own
    return masked
