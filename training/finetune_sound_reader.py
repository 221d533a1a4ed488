"""How sound questions are trained: the text reads the sound, and below that each goes through the trunk alone.

Of the pre-trained layers none has met text and sound together: left as they are, a text token gives 80 % of its attention to a
hundred frames that mean nothing to it yet, and its name is lost. So relative biases within a modality are raised until what is
outside has no weight (`set_apart`): of text in the lower two thirds, of sound everywhere. The official model then computes what
`read` does, and `read` passes each sound through the trunk once for all candidates.
"""
from typing import NamedTuple

import torch

from .onepeace.layer import scaled

APART = 16.0  # added to attention scores within a modality: e^16 against all outside
DIRECTED = -8.0  # and to those of one head for all that comes later, of another for all that came earlier


class Reading(NamedTuple):
    """text (nB, T, D), normed; what stood at the input of the upper layers: words [(nB, T, D)], frames [(B, T_audio, D)]; and
    attended [(nB, H, T, T + T_audio)], the logarithm of the weights that text tokens give there. CLS comes first everywhere."""

    text: torch.Tensor
    words: list
    frames: list
    attended: list


def upper_layers(layers):
    """The index of the first layer in which text reads the sound."""
    return layers * 2 // 3


@torch.no_grad()
def set_apart(encoder):
    """Moves the mean of each head's relative biases to APART, and of sound, from the layer below the reading ones up, directs the
    last two heads: to what came earlier and to what comes later. What such a head leaves to CLS says when a frame is, which
    relative positions alone do not, and what it finds says what was before. Done once more it changes nothing.

    No stochastic depth, either: it takes from the frozen half what it was trained to say.
    """
    layers = encoder.fusion_model.layers
    first = upper_layers(len(layers))
    for index, table in enumerate(encoder.audio_adapter.rel_pos_table_list):
        if index >= first - 1 and not is_apart(table):
            distances = torch.arange(1 - encoder.audio_adapter.bucket_size, encoder.audio_adapter.bucket_size)  # query - key
            table.weight[: len(distances), -2] += torch.where(distances < 0, DIRECTED, 0.0)
            table.weight[: len(distances), -1] += torch.where(distances > 0, DIRECTED, 0.0)
    for table in (*encoder.text_adapter.rel_pos_table_list[:first], *encoder.audio_adapter.rel_pos_table_list):
        table.weight += APART - table.weight.mean(0)
    for layer in layers:
        layer.drop_path = 0.0


def is_apart(table):
    """Pre-trained biases lie around 0."""
    return float(table.weight.mean()) > APART / 4


def read(encoder, ids, waves):
    """ids int64 (nB, T), waves (B, samples): n texts in a row read one sound -> Reading."""
    fusion, first = encoder.fusion_model, upper_layers(len(encoder.fusion_model.layers))
    text, padding, biases = encoder.text_adapter(ids)
    text = text * (~padding).unsqueeze(-1).to(text.dtype)
    blocked = torch.zeros_like(padding, dtype=torch.float32).masked_fill(padding, float("-inf"))[:, None, None]
    audio, _, audio_biases = encoder.audio_adapter(waves)
    words, frames, attended = [], [], []
    for index, layer in enumerate(fusion.layers):
        if index < first:
            text = layer(text, biases[index] + blocked, [("text", text.shape[1])])
        else:
            words.append(text), frames.append(audio)
            text, weights = reading(layer, text, audio, biases[index] + blocked)
            attended.append(weights)
        if index + 1 < len(fusion.layers):  # the head reads no frames
            audio = layer(audio, audio_biases[index], [("audio", audio.shape[1])])
    return Reading(fusion.text_layer_norm(text), words, frames, attended)


def reading(layer, text, audio, bias):
    """One layer for text (nB, T, D) that attends to itself and to audio (B, T_audio, D); bias (nB, H, T, T) is of the text.
    -> text, and the logarithm of the weights."""
    attention, sounds, length = layer.self_attn, len(audio), text.shape[1]
    split = lambda y: y.unflatten(2, (attention.heads, -1)).transpose(1, 2)  # (·, H, L, d)
    together = lambda y: y.unflatten(0, (sounds, -1)).transpose(1, 2).flatten(2, 3)  # (nB, H, T, ·) -> (B, H, nT, ·)
    each = lambda y: y.unflatten(2, (-1, length)).transpose(1, 2).flatten(0, 1)  # and back
    x, heard = layer.self_attn_layer_norm(text), layer.self_attn_layer_norm(audio)
    q = split(attention.q_proj(x))
    q = q * q.shape[-1] ** -0.5
    own = q @ split(attention.k_proj(x)).transpose(2, 3)
    other = each(together(q) @ split(attention.k_proj(heard)).transpose(2, 3))
    weights = torch.log_softmax(torch.cat([own.float() + bias, other.float()], dim=-1), dim=-1)
    part = weights.exp().to(q.dtype)
    out = part[..., :length] @ split(attention.v_proj(x)) + each(
        together(part[..., length:]) @ split(attention.v_proj(heard)))
    out = attention.out_proj(attention.ln(out.transpose(1, 2).flatten(2)))
    text = text + layer.kept(scaled(layer.gamma_1, out))
    return text + layer.kept(scaled(layer.gamma_2, layer.text_ffn(layer.final_layer_norm(text)))), weights
