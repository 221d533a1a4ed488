"""Audio adapter (§7): waveform -> frame tokens with CLS first. Padding is not neutral here: batch equal lengths."""
import torch
from torch import nn
import torch.nn.functional as F

from .preserve import gather_bias, gather_tokens
from .relative_position import relative_bias, token_buckets


class Transpose(nn.Module):
    """(B, a, b) -> (B, b, a); holds a place in the official numbering."""

    def forward(self, x):
        return x.transpose(1, 2)


def strided_conv(x, weight, stride):
    """Convolution without padding on (B, n, C_in) -> (B, frames, C_out), as matrix products of blocks of `stride` samples.

    Frame t covers blocks t, t+1, … of the input: side by side they are one matrix product. This keeps channels last for the
    LayerNorm and is several times faster on CPU than Conv1d, above all in the backward pass.
    """
    batch, samples, channels = x.shape
    kernel = weight.shape[2]
    frames, parts = (samples - kernel) // stride + 1, -(-kernel // stride)
    used = (frames + parts - 1) * stride
    x = F.pad(x, (0, 0, 0, used - samples)) if used > samples else x[:, :used]
    blocks = x.reshape(batch, frames + parts - 1, stride * channels)  # (B, blocks, stride * C_in)
    windows = torch.cat([blocks[:, part : part + frames] for part in range(parts)], dim=2)[..., : kernel * channels]
    return F.linear(windows, weight.transpose(1, 2).flatten(1))  # (B, frames, C_out)


class ConvFeatureExtractor(nn.Module):
    """waveform (B, n) -> (B, frames, C): each layer conv -> LayerNorm over channels -> GELU."""

    def __init__(self, layers):
        super().__init__()
        blocks, channels_in = [], 1
        for channels, kernel, stride in layers:
            norm = nn.Sequential(nn.Identity(), nn.LayerNorm(channels))  # official numbering: 0 was a transpose
            conv = nn.Conv1d(channels_in, channels, kernel, stride=stride, bias=False)
            blocks.append(nn.Sequential(conv, nn.Identity(), norm, nn.GELU()))
            channels_in = channels
        self.conv_layers = nn.ModuleList(blocks)

    def forward(self, waveform):
        x = waveform.unsqueeze(2)  # (B, n, 1)
        for conv, _, norm, gelu in self.conv_layers:
            frames = strided_conv(x, conv.weight, conv.stride[0])
            x = gelu(norm(frames).to(frames.dtype))  # stays in half precision under autocast
        return x


class ConvPosition(nn.Module):
    """One block of the position network on (B, D, T): grouped conv, LayerNorm without affine, GELU. Weights at `.0`."""

    def __init__(self, dim, kernel, groups):
        super().__init__()
        self.add_module("0", nn.Conv1d(dim, dim, kernel, padding=kernel // 2, groups=groups))
        self.drop_last = kernel % 2 == 0

    def forward(self, x):
        x = self._modules["0"](x)
        x = x[..., :-1] if self.drop_last else x
        return F.gelu(F.layer_norm(x.transpose(1, 2), (x.shape[1],)).transpose(1, 2))


class AudioAdapter(nn.Module):
    """waveforms (B, n) 16 kHz -> x (B, T, D), padding mask (B, T), biases [(1, H, T, T)]; T = frames + 1.

    In place of waveforms the frames of `embed_audios`, (B, T-1, D), serve where several passes share them.
    With preserve (B, P) the position convolutions run over the shortened sequence, fillers included (§13.3), and the outputs
    are (B, P, D), (B, P), [(B, H, P, P)].
    """

    def __init__(self, config):
        super().__init__()
        dim, channels = config.embed_dim, config.conv_layers[-1][0]
        self.bucket_size = config.audio_bucket_size
        kernel = max(3, config.conv_pos_width // config.conv_pos_depth)
        self.cls_embedding = nn.Parameter(torch.randn(1, 1, dim) * 0.02)
        self.cls_pos_embed = nn.Parameter(torch.randn(1, 1, dim) * 0.02)
        self.mask_embedding = nn.Parameter(torch.randn(1, dim) * 0.02, requires_grad=False)  # never used, but official (§4.1)
        self.embed_audios = nn.Sequential(
            ConvFeatureExtractor(config.conv_layers), nn.Identity(), nn.LayerNorm(channels), nn.Linear(channels, dim))
        blocks = [ConvPosition(dim, kernel, config.conv_pos_groups) for _ in range(config.conv_pos_depth)]
        self.embed_positions = nn.Sequential(Transpose(), *blocks)  # official numbering begins at 1
        tables = [nn.Embedding(2 * self.bucket_size + 2, config.attention_heads) for _ in range(config.rel_pos_tables)]
        self.rel_pos_table_list = nn.ModuleList(tables)

    def forward(self, waveforms, padding=None, preserve=None):
        frames = waveforms if waveforms.dim() == 3 else self.embed_audios(waveforms)  # (B, T-1, D)
        buckets = token_buckets(self.bucket_size, frames.shape[1] + 1, frames.device)
        if preserve is not None:
            whole = torch.cat([frames[:, :1], frames], dim=1)  # indices count CLS, whose place is never read
            x = self.placed(gather_tokens(whole, preserve)[:, 1:])
            return x, preserve < 0, [gather_bias(t.weight, buckets, preserve) for t in self.rel_pos_table_list]
        x = self.placed(frames)
        if padding is None:
            padding = torch.zeros(x.shape[:2], dtype=torch.bool, device=x.device)
        return x, padding, [relative_bias(t.weight, buckets) for t in self.rel_pos_table_list]

    def placed(self, frames):
        """Frames (B, T-1, D) -> (B, T, D) with their positions and CLS first."""
        positions = self.embed_positions(frames).transpose(1, 2)  # (B, T-1, D)
        cls = (self.cls_embedding + self.cls_pos_embed).expand(frames.shape[0], -1, -1).to(frames.dtype)
        return torch.cat([cls, frames + positions], dim=1)
