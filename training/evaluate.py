"""Held-out retrieval of a checkpoint, each figure beside its chance level. Reports; never used to stop or select.

    python -m training.evaluate training/runs/stage2/nano.pt

Pictures: Twemoji on white, all names. Speech: the 500 words in voices that training never hears. Sounds: parameter tails.
"""
import argparse
import json
from pathlib import Path

import numpy as np
import torch

from .machine import prepare
from .material import sound_synthesis, speech
from .material.augment import MEAN, STD
from .material.clips import server_clip
from .material.paths import BPE, package_dir
from .material.sounds import SOUND_EVENTS
from .material.splits import load_splits, twemoji_file_stem
from .material.sprites import draw_svg
from .onepeace.checkpoint import load_checkpoint
from .onepeace.tokenizer import Tokenizer
from .tokens import embed_texts


def twemoji_pictures(hexcodes, side):
    """float (N, 3, side, side): Twemoji on white, normalised (§11)."""
    folder = package_dir("@twemoji/svg")
    rgba = np.stack([draw_svg(folder / f"{twemoji_file_stem(h)}.svg", side) for h in hexcodes]) / 255.0
    white = rgba[..., :3] * rgba[..., 3:] + 1 - rgba[..., 3:]
    return (torch.from_numpy(white).permute(0, 3, 1, 2).float() - MEAN) / STD


@torch.no_grad()
def embed_pictures(model, pictures):
    return torch.cat([model.image(chunk) for chunk in pictures.split(128)])


@torch.no_grad()
def embed_clips(model, waves):
    """Clips one by one, as the server embeds them: [float (n,)] -> (N, D)."""
    return torch.cat([model.audio(torch.from_numpy(server_clip(w)).float()[None]) for w in waves])


def recall(queries, targets, right, ks=(1, 5, 10)):
    """Share (%) of queries whose right target row is among the k nearest, and chance; right int64 (Q,)."""
    scores = queries @ targets.t()
    rank = (scores > scores.gather(1, right[:, None])).sum(1)
    return {**{f"R@{k}": round(100 * (rank < k).float().mean().item(), 1) for k in ks},
            "chance R@10": round(1000 / len(targets), 2), "of": len(targets)}


def speech_clips(voice, setting):
    """{word: float wave in -1..1} of one held-out voice, with 0.25 s of silence after it, as espeak-ng writes files."""
    samples, index = speech.load("held_out")
    tail = np.zeros(speech.SAMPLE_RATE_HZ // 4)
    return {row[2]: np.r_[samples[row[0] : row[0] + row[1]] / 32768, tail] for row in index
            if row[3] == voice and (row[4], row[5]) == (setting["speed_wpm"], setting["pitch"])}


def picture_report(model, tokenizer, splits):
    names = splits["names"]
    pictures = embed_pictures(model, twemoji_pictures([n["hexcode"] for n in names], model.config.patch_image_size))
    texts, same = embed_texts(model, tokenizer, [n["name"] for n in names]), torch.arange(len(names))
    words = torch.tensor([[n["hexcode"] for n in names].index(w["hexcode"]) for w in splits["words"]])
    return pictures[words], {"text->twemoji": recall(texts, pictures, same), "twemoji->text": recall(pictures, texts, same),
                             "text->twemoji, 500 words": recall(texts[words], pictures[words], torch.arange(len(words)))}


def speech_report(model, tokenizer, splits, pictures):
    words = [w["word"] for w in splits["words"]]
    texts, report = embed_texts(model, tokenizer, words), {}
    settings = splits["held_out_speed_pitch"]
    cases = [(v, settings["benchmark"]) for v in splits["held_out_voices"]]
    cases += [(splits["held_out_voices"][0], corner) for corner in settings["corners"]]
    for voice, setting in cases:
        clips = speech_clips(voice, setting)
        spoken = embed_clips(model, [clips[w] for w in words if w in clips])
        right = torch.tensor([i for i, w in enumerate(words) if w in clips])
        label = f"{voice} speed {setting['speed_wpm']} pitch {setting['pitch']}"
        report[f"{label}: speech->text"] = recall(spoken, texts, right)
        report[f"{label}: speech->twemoji"] = recall(spoken, pictures, right)
        if len(right) == len(words):
            report[f"{label}: text->speech"] = recall(texts, spoken, right)
    return report


def sound_report(model, tokenizer):
    samples, index = sound_synthesis.load("held_out")
    clips = embed_clips(model, [samples[o : o + n] / 32768 for o, n, _ in index])
    names = [e["name"] for e in SOUND_EVENTS]
    texts = embed_texts(model, tokenizer, [f"the sound of {name}" for name in names])
    right = torch.tensor([names.index(event) for _, _, event in index])
    return {"sound->event": {**recall(clips, texts, right), "chance R@1": round(100 / len(names), 2)}}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    prepare(args.threads)
    model, tokenizer, splits = load_checkpoint(args.checkpoint), Tokenizer(BPE), load_splits()
    pictures, report = picture_report(model, tokenizer, splits)
    if "audio" in model.config.branches:
        report.update(speech_report(model, tokenizer, splits, pictures))
        report.update(sound_report(model, tokenizer))
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
