"""ONE-PEACE in PyTorch, under the official parameter names. Read config, relative_position, the three adapters, attention,
geglu, layer, encoder, model and checkpoint in this order. Section numbers (§) are those of docs/nano.md's specification.

Shapes: B batch, T sequence length (with CLS), D embed_dim, H heads, F ffn_embed_dim, S image side in pixels, n samples.
Source: ONE-PEACE (arXiv 2305.11172) and its reference implementation (Apache 2.0).
"""
