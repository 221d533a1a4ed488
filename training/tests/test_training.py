"""Both stages at a smoke size on invented material: they learn, freeze what they say, resume, and shun what is held out."""
from pathlib import Path

import numpy as np
import pytest
import torch

from training import stage1, stage2
from training.material import sprites, voices
from training.material.augment import compose
from training.material.paths import BPE, TRAINING
from training.material.pictures import Pictures
from training.material.splits import load_splits
from training.nano import smoke_config
from training.onepeace.checkpoint import load_checkpoint
from training.onepeace.tokenizer import Tokenizer

WORDS = ("red", "green", "blue", "white")
COLOURS = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]]) * 2 - 1


class ColouredSquares:
    """Stands in for Pictures: the text names the colour."""

    names = WORDS

    def draw(self, batch, side, rng):
        concepts = torch.from_numpy(rng.integers(4, size=batch))
        noise = torch.from_numpy(rng.standard_normal((batch, 3, side, side))).float() * 0.1
        return COLOURS[concepts].view(batch, 3, 1, 1) + noise, [WORDS[c] for c in concepts], concepts


class Tones:
    """Stands in for Clips: the text names the pitch."""

    texts = [("low", 0), ("high", 1)]

    def draw(self, batch, rng):
        rows = torch.from_numpy(rng.integers(2, size=batch))
        t = torch.arange(16000) / 16000
        waves = torch.sin(2 * torch.pi * torch.tensor([200.0, 1500.0])[rows][:, None] * t) * 1.4
        return waves + 0.1 * torch.from_numpy(rng.standard_normal((batch, 16000))).float(), rows


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer(BPE)


def options(module, out, *more):
    argv = ["--out", str(out), "--workers", "0", "--fp32", "--batch", "16", "--warmup", "3", "--lr", "5e-3", *more]
    return module.arguments().parse_args(argv)


def new_stage1(tokenizer, out):
    torch.manual_seed(0)
    args = options(stage1, out, "--small-side", "64", "--final-side", "80")
    return stage1.Stage1(smoke_config(tokenizer.vocab_size, 64, "vl"), ColouredSquares(), tokenizer, args)


def test_stage1_learns_grows_and_resumes(tokenizer, tmp_path):
    stage = new_stage1(tokenizer, tmp_path)
    losses = [float(stage.step(0.1)[0]) for _ in range(30)]
    assert np.mean(losses[-5:]) < 0.7 * np.mean(losses[:3]), losses
    stage.grow_to(80)
    grown = float(stage.step(0.5)[0])
    assert grown < np.mean(losses[:3])  # what was learnt at 64 pixels holds at 80
    stage.save(tmp_path)
    again = new_stage1(tokenizer, tmp_path)
    again.load(tmp_path)
    assert again.steps == 31 and again.model.config.patch_image_size == 80
    assert float(again.step(0.6)[0]) == pytest.approx(float(stage.step(0.6)[0]), rel=1e-3)
    assert load_checkpoint(tmp_path / "stage1.pt").config.head_type == "vl"


def test_stage2_learns_and_leaves_the_rest_untouched(tokenizer, tmp_path):
    first = new_stage1(tokenizer, tmp_path)
    first.save(tmp_path)
    before = load_checkpoint(tmp_path / "stage1.pt")
    torch.manual_seed(0)
    stage = stage2.Stage2(stage2.with_audio(before), Tones(), tokenizer, options(stage2, tmp_path))
    losses = [float(stage.step(0.1)[0]) for _ in range(20)]
    assert np.mean(losses[-4:]) < 0.8 * np.mean(losses[:3]), losses
    stage.save(tmp_path)
    after, frozen = load_checkpoint(tmp_path / "nano.pt"), before.state_dict()
    names = [n for n in after.state_dict() if not stage2.is_trained(n)]
    assert set(names) == {n for n in frozen if n != "logit_scale"} and len(names) > 40
    for name in names:  # bit-identical, not merely close
        assert torch.equal(after.state_dict()[name], frozen[name]), name
    moved = [n for n in after.state_dict() if ".audio_ffn." in n or n.startswith("audio_proj")]
    assert any(not torch.equal(after.state_dict()[n], frozen[n.replace("audio", "text")]) for n in moved)


def test_held_out_style_cannot_be_trained():
    with pytest.raises(AssertionError):
        sprites.load_style("twemoji")
    with pytest.raises(AssertionError):
        Pictures(styles=("twemoji",))
    readers = {p.name for p in Path(TRAINING).rglob("*.py") if "@twemoji" in p.read_text() and "tests" not in p.parts}
    assert readers == {"evaluate.py", "splits.py"}  # splits.py reads file names only


def test_held_out_voices_share_no_speaker_with_training():
    splits = load_splits()
    held_out, trained = splits["held_out_voices"], splits["train_voices"]
    assert len(held_out) >= 3 and not set(held_out) & set(trained)
    variant = lambda v: v.split("+")[1] if "+" in v else ""
    assert not {variant(v) for v in held_out if variant(v)} & {variant(v) for v in trained}
    assert not any(v.startswith(voices.HELD_OUT_ACCENT) for v in trained)
    assert len(splits["words"]) == 500 and len({w["word"].lower() for w in splits["words"]}) == 500
    names = {n["hexcode"]: n["name"] for n in splits["names"]}
    assert all(names[w["hexcode"]] == w["word"] for w in splits["words"])


def test_augmentation_is_seeded_and_finite():
    sprites_in = torch.randint(0, 256, (8, 4, 96, 96), dtype=torch.uint8)
    draw = lambda seed: compose(sprites_in, 64, torch.ones(8, dtype=torch.bool), torch.Generator().manual_seed(seed))
    assert draw(1).shape == (8, 3, 64, 64) and torch.isfinite(draw(1)).all()
    assert torch.equal(draw(1), draw(1)) and not torch.equal(draw(1), draw(2))
