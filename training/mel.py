"""Warm start of the audio front end: its frames first learn to tell the log-mel spectrum of their own 25 ms of sound.

From raw samples alone the contrastive loss needs most of a CPU-sized budget before any word is heard; this dense target gives
the convolutions a spectrum in about a minute. The linear head is dropped afterwards. Not part of the paper's recipe.
"""
import numpy as np
import torch
import torch.nn.functional as F

WINDOW, HOP = 400, 320  # samples: the receptive field and the stride of the seven convolutions (§7)
BINS = 64


def mel_filters(bins=BINS, rate_hz=16000):
    """Triangular filters (WINDOW // 2 + 1, bins) on the mel scale, 40 Hz to 7.6 kHz."""
    mel = lambda hz: 2595 * np.log10(1 + hz / 700)
    edges = 700 * (10 ** (np.linspace(mel(40), mel(7600), bins + 2) / 2595) - 1)
    hz = np.arange(WINDOW // 2 + 1) * rate_hz / WINDOW
    rise = (hz[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    fall = (edges[2:] - hz[:, None]) / (edges[2:] - edges[1:-1])
    return torch.from_numpy(np.maximum(0, np.minimum(rise, fall))).float()


FILTERS = mel_filters()


def log_mel(waves):
    """(B, n) -> (B, frames, BINS), each bin standardised over the batch; frames as the convolutions count them."""
    windows = waves.unfold(1, WINDOW, HOP) * torch.hann_window(WINDOW, device=waves.device)  # (B, frames, WINDOW)
    power = torch.fft.rfft(windows).abs().square()
    spectrum = torch.log(power @ FILTERS.to(waves.device) + 0.05)
    flat = spectrum.flatten(0, 1)
    return (spectrum - flat.mean(0)) / (flat.std(0) + 1e-3)


def warm_start_loss(adapter, head, waves):
    """Mean squared error of the head's log-mel from the front end's frames (B, frames, D)."""
    return F.mse_loss(head(adapter.embed_audios(waves)).float(), log_mel(waves))
