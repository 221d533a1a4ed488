"""Image adapter (§6): normalised pixels -> grid tokens with CLS first, relative bias."""
import torch
from torch import nn

from .preserve import gather_bias, gather_tokens
from .relative_position import image_buckets, interpolate_pos_embed, relative_bias


class ChannelLayerNorm(nn.Module):
    """LayerNorm over the channels of (B, C, h, w), a pixel at a time."""

    def __init__(self, channels):
        super().__init__()
        self.layer_norm = nn.LayerNorm(channels)

    def forward(self, x):
        return self.layer_norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class ImageAdapter(nn.Module):
    """images (B, 3, S, S) -> x (B, (S/16)²+1, D), padding mask all false, biases [(1, H, T, T)]. `second`: of a pair.

    With preserve (B, P), the same number for every picture: (B, P, D), (B, P) all false, [(B, H, P, P)].
    """

    def __init__(self, config):
        super().__init__()
        dim, stem = config.embed_dim, config.embed_dim // 4
        self.side = config.image_rel_bucket_size
        rows = (2 * self.side - 1) ** 2 + 3
        self.cls_embedding = nn.Parameter(torch.randn(1, 1, dim) * 0.02)
        self.pos_embed = nn.Parameter(torch.randn(config.image_bucket_size**2 + 1, dim) * 0.02)
        self.embed_images = nn.Sequential(  # hmlp stem: 4, 2 and 2 pixels a step
            nn.Conv2d(3, stem, 4, stride=4), ChannelLayerNorm(stem), nn.GELU(),
            nn.Conv2d(stem, stem, 2, stride=2), ChannelLayerNorm(stem), nn.GELU(),
            nn.Conv2d(stem, dim, 2, stride=2),
        )
        tables = [nn.Embedding(rows, config.attention_heads) for _ in range(config.rel_pos_tables)]
        self.rel_pos_table_list = nn.ModuleList(tables)
        if config.add_type_embedding:
            self.type_embedding = nn.Parameter(torch.zeros(1, 1, dim))
            self.type_embedding_2 = nn.Parameter(torch.zeros(1, 1, dim))

    def forward(self, images, second=False, preserve=None):
        batch, grid = images.shape[0], images.shape[2] // 16
        if grid != self.side:
            raise ValueError(f"pictures must be {16 * self.side} pixels high, not {images.shape[2]} (§6.2)")
        tokens = self.embed_images(images).flatten(2).transpose(1, 2)  # (B, g², D), row-major
        x = torch.cat([self.cls_embedding.expand(batch, -1, -1).to(tokens.dtype), tokens], dim=1)
        x = x + interpolate_pos_embed(self.pos_embed, grid)
        if hasattr(self, "type_embedding"):
            x = x + self.type_embedding + (self.type_embedding_2 if second else 0)
        buckets = image_buckets(grid, x.device)
        if preserve is not None:
            biases = [gather_bias(t.weight, buckets, preserve) for t in self.rel_pos_table_list]
            return gather_tokens(x, preserve), preserve < 0, biases
        padding = torch.zeros(x.shape[:2], dtype=torch.bool, device=x.device)
        return x, padding, [relative_bias(t.weight, buckets) for t in self.rel_pos_table_list]
