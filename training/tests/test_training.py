"""Both stages at a smoke size on invented material: they learn, freeze what they say, resume, and shun what is held out."""
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from training import loop, pretrain, stages
from training.material import sprites, voices
from training.material.augment import compose
from training.material.paths import BPE, TRAINING
from training.material.pictures import Pictures
from training.material.splits import load_splits
from training.nano import smoke_config
from training.onepeace.checkpoint import load_checkpoint
from training.onepeace.relative_position import image_buckets
from training.onepeace.tokenizer import Tokenizer
from training.stages import AUDIO_ONLY, STAGES
from training.tokens import embed_texts

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


MATERIAL = {"image-text": ColouredSquares, "audio-text": Tones}
BOTH, CONTRASTIVE = "contrastive,denoising", "contrastive"


@pytest.fixture(autouse=True)
def smoke_size(monkeypatch):
    monkeypatch.setattr(stages, "nano_config", smoke_config)
    monkeypatch.setattr(loop, "LOG_EVERY", 1)


def options(stage, out, *more):
    argv = [stage, "--out", str(out), "--workers", "0", "--fp32", "--device", "cpu", "--batch", "16", "--warmup", "3",
            "--lr", "5e-3", "--denoising-share", "0.5", *more]
    return pretrain.arguments().parse_args([str(a) for a in argv])


def trainer_of(stage, tokenizer, out, *more):
    args = options(stage, out, *more)
    return pretrain.Trainer(STAGES[stage](args, MATERIAL[stage](), tokenizer, 0), args, torch.device("cpu"))


def run(stage, tokenizer, out, *more):
    """Trains to the end; the log's rows."""
    trainer = trainer_of(stage, tokenizer, out, *more)
    loop.train(trainer, trainer.args)
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def stage1(tokenizer, tmp_path_factory):
    """Folder and log of a short image-text run with both tasks, whose pictures grow half-way."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stages, "nano_config", smoke_config)
        patch.setattr(loop, "LOG_EVERY", 1)
        out = tmp_path_factory.mktemp("stage1")
        sides = ("--small-side", 48, "--final-side", 64, "--small-share", 0.5)
        return out, run("image-text", tokenizer, out, "--steps", 60, *sides)


def falls(rows, term, to):
    values = [row[term] for row in rows if term in row]
    first, last = np.mean(values[:4]), np.mean(values[-8:])
    assert last < to * first, (term, first, last)


def test_image_text_learns_both_tasks_and_grows(stage1, tokenizer):
    out, rows = stage1
    assert [rows[0]["side_px"], rows[-1]["side_px"]] == [48, 64]
    falls(rows, "itc", 0.7)
    for term in ("dcl_image", "dcl_vl_image"):  # larger pictures have more tokens to tell apart: compare before they grow
        falls(rows[:30], term, 0.98)
    assert abs(rows[30]["itc"] - rows[29]["itc"]) < 0.7 * rows[0]["itc"]  # what was learnt at 48 pixels holds at 64
    model = load_checkpoint(out / "stage1.pt")
    assert model.config.head_type == "vl" and model.config.patch_image_size == 64
    pictures, _, concepts = ColouredSquares().draw(64, 64, np.random.default_rng(99))
    with torch.no_grad():
        nearest = (model.image(pictures) @ embed_texts(model, tokenizer, WORDS).t()).argmax(1)
    assert nearest.eq(concepts).float().mean() > 0.7  # chance: 0.25


def test_audio_text_learns_both_tasks_and_leaves_the_rest_untouched(stage1, tokenizer, tmp_path):
    first = stage1[0] / "stage1.pt"
    rows = run("audio-text", tokenizer, tmp_path, "--init", first, "--steps", 40, "--freeze-convs", "--mel-share", 0.2)
    assert "mel" in rows[0] and "atc" not in rows[0] and "mel" not in rows[-1]
    falls(rows, "mel", 0.95)
    falls(rows, "atc", 0.8)
    assert {"dcl_audio", "dcl_al_text", "dcl_al_audio"} <= rows[-1].keys()
    before, after = load_checkpoint(first), load_checkpoint(tmp_path / "nano.pt")
    frozen, tensors = before.state_dict(), after.state_dict()
    same = [n for n in tensors if not any(part in n for part in AUDIO_ONLY) and n != "logit_scale"]
    assert set(same) == set(frozen) - {"logit_scale"} and len(same) > 40
    for name in same:  # bit-identical, not merely close
        assert torch.equal(tensors[name], frozen[name]), name
    copies = [n for n in tensors if ".audio_ffn." in n or n.startswith("audio_proj")]
    assert all(not torch.equal(tensors[n], frozen[n.replace("audio", "text")]) for n in copies if "weight" in n)
    waves, right = Tones().draw(32, np.random.default_rng(99))
    with torch.no_grad():
        nearest = (after.audio(waves) @ embed_texts(after, tokenizer, ["low", "high"]).t()).argmax(1)
    assert nearest.eq(right).float().mean() > 0.8  # chance: 0.5


def test_without_freezing_the_shared_weights_learn_and_pictures_do_not(stage1, tokenizer, tmp_path):
    first = stage1[0] / "stage1.pt"
    run("audio-text", tokenizer, tmp_path, "--init", first, "--steps", 3, "--no-freeze", "--mel-share", 0)
    before, after = (load_checkpoint(path).state_dict() for path in (first, tmp_path / "nano.pt"))
    moved = {n for n in before if not torch.equal(before[n], after[n])}
    assert "encoder_wrapper.fusion_model.layers.0.self_attn.q_proj.weight" in moved and "text_proj.weight" in moved
    assert not [n for n in moved if "image" in n]


@pytest.mark.parametrize("stage", sorted(STAGES))
def test_a_killed_run_goes_on_with_the_same_losses(stage, stage1, tokenizer, tmp_path):
    more = ["--steps", 14, "--small-side", 48, "--final-side", 64] if stage == "image-text" else [
        "--steps", 14, "--init", stage1[0] / "stage1.pt", "--mel-share", 0.3, "--freeze-convs"]
    unbroken = run(stage, tokenizer, tmp_path / "unbroken", *more)
    out = tmp_path / "killed"
    run(stage, tokenizer, out, *more, "--max-steps", 5)
    killed = trainer_of(stage, tokenizer, out, *more, "--resume")
    for _ in range(4):  # logged, but not saved
        loop.write(out / "log.jsonl", {"step": killed.steps + 1, "loss": float(killed.step()["loss"])})
    resumed = run(stage, tokenizer, out, *more, "--resume")
    assert [row["step"] for row in resumed] == list(range(1, 15))
    for a, b in zip(unbroken, resumed):
        assert {n for n in a} == {n for n in b}
        assert a["loss"] == pytest.approx(b["loss"], rel=1e-4)


def test_an_earlier_run_gives_its_weights_to_smaller_pictures(stage1, tokenizer, tmp_path):
    earlier = load_checkpoint(stage1[0] / "stage1.pt")  # 64 pixels
    trainer = trainer_of("image-text", tokenizer, tmp_path, "--init", stage1[0] / "stage1.pt", "--small-side", 48, "--steps", 9)
    assert trainer.config.patch_image_size == 48
    name = "encoder_wrapper.image_adapter.rel_pos_table_list.0.weight"
    given, taken = earlier.state_dict(), trainer.task.model.state_dict()
    assert all(torch.equal(given[n], taken[n]) for n in given if n != name)
    bias = lambda tensors, side: tensors[name][image_buckets(side)]  # (T, T, H): alike wherever the distance is
    for query, key in ((0, 0), (0, 1), (1, 0), (1, 2)):
        assert torch.equal(bias(given, 4)[query, key], bias(taken, 3)[query, key])
    down = lambda side: bias({name: given[name] if side == 4 else taken[name]}, side)[1, 1 + side]  # a place and that below it
    assert torch.equal(down(4), down(3))
    assert float(trainer.step()["itc"]) < stage1[1][0]["itc"]


def test_the_denoising_task_is_optional_and_costs_nothing_when_off(tokenizer, tmp_path):
    trainer = trainer_of("image-text", tokenizer, tmp_path, "--tasks", CONTRASTIVE, "--steps", 2)
    assert not [n for n, _ in trainer.task.named_parameters() if "decoder" in n]
    assert set(trainer.step()) == {"loss", "itc", "i2t_batch_accuracy", "temperature"}


@pytest.mark.skipif(torch.__version__.startswith("1."), reason="bf16 autocast on CPU needs torch 2")
def test_gradients_of_the_masked_passes_survive_autocast(tokenizer, tmp_path):
    """Autocast may reuse weights that it cast for the teacher, without gradient."""
    gradients = []
    for bf16 in (True, False):
        trainer = trainer_of("image-text", tokenizer, tmp_path, "--steps", 2)
        trainer.task.bf16 = bf16
        inputs = trainer.stage.inputs(next(trainer.stream), trainer.config, 0, 0.0)
        terms, _ = trainer.task(**inputs)
        (terms["dcl_vl_text"] + terms["dcl_vl_image"]).backward()
        gradients.append(trainer.task.model.encoder_wrapper.fusion_model.layers[0].self_attn.q_proj.weight.grad.flatten())
    assert torch.cosine_similarity(*gradients, dim=0) > 0.9


def test_layer_decay_slows_lower_layers(tokenizer, tmp_path):
    trainer = trainer_of("image-text", tokenizer, tmp_path, "--steps", 9, "--layer-decay", 0.5)
    trainer.step()
    rates = {id(p): group["lr"] for group in trainer.optimizer.param_groups for p in group["params"]}
    rate = lambda end: rates[next(id(p) for n, p in trainer.task.named_parameters() if n.endswith(end))]
    top = rate("model.text_proj.weight")
    assert rate("encoder_wrapper.fusion_model.layers.1.gamma_1") == pytest.approx(top / 2)
    assert rate("encoder_wrapper.fusion_model.layers.0.gamma_1") == pytest.approx(top / 4)
    assert rate("encoder_wrapper.text_adapter.embed_tokens.weight") == pytest.approx(top / 8)
    assert rate("decoder_wrapper.fusion_model.layers.0.self_attn.q_proj.weight") == pytest.approx(top)


def test_held_out_style_cannot_be_trained():
    with pytest.raises(AssertionError):
        sprites.load_style("twemoji")
    with pytest.raises(AssertionError):
        Pictures(styles=("twemoji",))
    readers = {p.name for p in Path(TRAINING).rglob("*.py") if "@twemoji" in p.read_text() and "tests" not in p.parts}
    assert readers == {"evaluate.py", "benchmark.py", "splits.py"}  # splits.py reads file names only


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
