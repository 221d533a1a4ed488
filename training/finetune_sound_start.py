"""Where questions about spoken words begin: frames already say linearly which of 500 words is spoken, and so do tokens of text.
Both are read off a few thousand words in closed form, which steps of gradient would learn a word at a time."""
import numpy as np
import torch
import torch.nn.functional as F

from .finetune_sound_aids import WORDS_HEAD
from .finetune_sound_labels import HOP, LABELS
from .finetune_sound_reader import read, upper_layers
from .material.clips import RATE, add_noise, normalise
from .tokens import token_batch

SAMPLES = int(1.5 * RATE)
FRAMES = 6  # of each spoken word
TEXTS = ("which word is spoken? answer: {}", "which word is spoken first? answer: {}")
TEXT_SHARE = 0.2  # of the texts in what the classifier is fitted to: more of it reads frames worse
RIDGE = 1e-3


@torch.no_grad()
def start_with_words(model, aid, questions, tokenizer, times=9, batch=20, seed=0):
    """Sets the words' rows of aid.names and, in each reading layer, the head that finds words (on the CPU).

    model: FineTuned; aid: Heard; questions: SoundQuestions; times: how often each word is spoken.
    """
    rng, words = np.random.default_rng(seed), list(questions.words)
    encoder = model.encoder_wrapper
    reading_layers = list(encoder.fusion_model.layers)[upper_layers(len(encoder.fusion_model.layers)):]
    norms = [aid.norms[0], *(layer.self_attn_layer_norm for layer in reading_layers)]
    places = [0, *range(len(reading_layers))]
    heard, said = [[] for _ in norms], [[] for _ in norms]
    for at in range(0, times * len(words), batch):
        spoken = [questions.spoken(words[i % len(words)], SAMPLES, rng) for i in range(at, min(at + batch, times * len(words)))]
        waves = np.stack([normalise(add_noise(wave / np.abs(wave).max(), rng)) for wave, _, _ in spoken]).astype(np.float32)
        reading = read(encoder, token_batch(tokenizer, ["a"] * len(waves), 4), torch.from_numpy(waves))
        for kept, norm, place in zip(heard, norms, places):
            tokens = norm(reading.frames[place][:, 1:])
            kept += [tokens[row, span(*ends, tokens.shape[1])] for row, (_, *ends) in enumerate(spoken)]
    for text in TEXTS:
        ids = token_batch(tokenizer, [text.format(word.lower()) for word in words], 24)
        last = ids.ne(1).sum(1) - 1  # with CLS before, </s> behind
        reading = read(encoder, ids, torch.from_numpy(waves[:1]))
        for kept, norm, place in zip(said, norms, places):
            kept.append(norm(reading.words[place])[torch.arange(len(ids)), last])
    heard = [torch.stack(kept).unflatten(0, (times, len(words))) for kept in heard]  # (times, words, FRAMES, D)
    said = [torch.stack(kept) for kept in said]  # (texts, words, D)
    set_names(aid, [LABELS[word.lower()] for word in words], heard[0], said[0])
    for layer, frames, texts in zip(reading_layers, heard[1:], said[1:]):
        set_head(layer.self_attn, frames, texts)


def span(start, end, frames):
    """FRAMES of those that a word lasts."""
    return np.linspace(start // HOP + 1, min(end // HOP, frames) - 2, FRAMES).astype(int).clip(0, frames - 1)


def set_names(aid, rows, frames, texts):
    """Ridge regression of which word it is, as sharp as fits best beside the rows of what is no word."""
    names = torch.arange(len(rows))
    groups = [(frames.flatten(0, 2), names.repeat(len(frames)).repeat_interleave(FRAMES), 1.0),
              (texts.flatten(0, 1), names.repeat(len(texts)), TEXT_SHARE)]
    left, right = RIDGE * torch.eye(frames.shape[-1] + 1), 0.0
    for x, y, share in groups:
        x = F.pad(x, (0, 1), value=1.0)
        left, right = left + share * x.T @ x / len(x), right + share * x.T @ F.one_hot(y, len(rows)).float() / len(x)
    solved = torch.linalg.solve(left, right).T
    others = [row for row in range(len(aid.names.weight)) if row not in set(rows)]
    best = None
    for scale in (4, 8, 16, 32, 64):
        for shift in (-8, -4, 0, 4):
            loss = 0.0
            for x, y, _ in groups:
                rest = x @ aid.names.weight[others].T + aid.names.bias[others]
                logits = torch.cat([scale * (F.pad(x, (0, 1), value=1.0) @ solved.T) + shift, rest], dim=1)
                loss += float(F.cross_entropy(logits, y))
            best = min(best or (loss, scale, shift), (loss, scale, shift))
    _, scale, shift = best
    aid.names.weight[rows], aid.names.bias[rows] = scale * solved[:, :-1], scale * solved[:, -1] + shift


def set_head(attention, frames, texts):
    """Queries of text and keys of sound are what correlates most of a word as it is written and as it is spoken (canonical
    correlation analysis)."""
    size = attention.q_proj.weight.shape[0] // attention.heads
    own = slice(WORDS_HEAD % attention.heads * size, (WORDS_HEAD % attention.heads + 1) * size)
    mean = texts.mean((0, 1))
    written = (texts.mean(0) - mean)[None, :, None].expand_as(frames).flatten(0, 2)
    spoken = frames.flatten(0, 2) - frames.mean((0, 1, 2))
    of_spoken, of_written = whitening(spoken), whitening(written)
    u, s, v = torch.linalg.svd(of_spoken @ (spoken.T @ written / len(spoken)) @ of_written)
    keys, queries = (of_spoken @ u[:, :size] * s[:size].sqrt()).T, (of_written @ v[:size].T * s[:size].sqrt()).T
    scale = size**0.25  # scores are divided by the root of the size
    attention.k_proj.weight[own], attention.q_proj.weight[own] = scale * keys, scale * queries
    attention.q_proj.bias[own] = -scale * queries @ mean


def whitening(x):
    values, vectors = torch.linalg.eigh(x.T @ x / len(x) + 1e-2 * torch.eye(x.shape[1]))
    return vectors @ torch.diag(values**-0.5) @ vectors.T
