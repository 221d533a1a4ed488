"""Text adapter (§5): ids -> token sequence with CLS first, padding mask, relative bias."""
import torch
from torch import nn

from .preserve import gather_bias, gather_tokens
from .relative_position import relative_bias, token_buckets

PAD = 1
POSITIONS = 514


class TextAdapter(nn.Module):
    """ids int64 (B, T-1), right padded with 1 -> x (B, T, D), padding mask bool (B, T), biases [(1, H, T, T)].

    With preserve (B, P) the outputs are those of the preserved tokens: (B, P, D), (B, P), [(B, H, P, P)].
    """

    def __init__(self, config):
        super().__init__()
        dim = config.embed_dim
        self.bucket_size = config.text_bucket_size
        self.cls_embedding = nn.Parameter(torch.randn(1, 1, dim) * 0.02)
        self.embed_tokens = nn.Embedding(config.vocab_size, dim)
        self.embed_positions = nn.Embedding(POSITIONS, dim)
        tables = [nn.Embedding(2 * self.bucket_size + 2, config.attention_heads) for _ in range(config.rel_pos_tables)]
        self.rel_pos_table_list = nn.ModuleList(tables)
        if config.add_type_embedding:
            self.type_embedding = nn.Parameter(torch.zeros(1, 1, dim))

    def forward(self, ids, preserve=None):
        batch, length = ids.shape[0], ids.shape[1] + 1
        cls = self.cls_embedding.expand(batch, -1, -1)
        x = torch.cat([cls, self.embed_tokens(ids)], dim=1) + self.embed_positions.weight[:length]  # (B, T, D)
        if hasattr(self, "type_embedding"):
            x = x + self.type_embedding
        padding = torch.cat([torch.zeros(batch, 1, dtype=torch.bool, device=ids.device), ids.eq(PAD)], dim=1)
        buckets = token_buckets(self.bucket_size, length, ids.device)
        if preserve is not None:
            biases = [gather_bias(t.weight, buckets, preserve) for t in self.rel_pos_table_list]
            return gather_tokens(x, preserve), preserve < 0, biases
        return x, padding, [relative_bias(t.weight, buckets) for t in self.rel_pos_table_list]
