"""Texts as training and evaluation feed them: batches of token ids, and embeddings of many texts at once."""
import torch
from torch import nn

from .onepeace.tokenizer import MAX_IDS, PAD


def token_batch(tokenizer, texts, max_ids=MAX_IDS):
    """[str] -> int64 (B, T), right padded."""
    rows = [torch.tensor(tokenizer(t, max_ids)) for t in texts]
    return nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=PAD)


@torch.no_grad()
def embed_texts(model, tokenizer, texts):
    """[str] -> (N, D) on the model's device."""
    device = next(model.parameters()).device
    chunks = [texts[i : i + 256] for i in range(0, len(texts), 256)]
    return torch.cat([model.text(token_batch(tokenizer, chunk).to(device)) for chunk in chunks])
