"""Fine-tuning at a smoke size on invented material: the heads learn, share one trunk to the bit, and go on after a stop."""
import json

import numpy as np
import pytest
import torch

from training import finetune
from training.finetune_aids import box_iou, box_loss
from training.finetune_batches import DRAWN_PX, SceneBatches, SoundBatches, padded
from training.finetune_groups import GROUPS, Labels, Pictures, Questions, Sounds
from training.finetune_labels import Said, covered_patches, shown_in_patches
from training.material.mixtures import Events
from training.material.paths import BPE
from training.material.questions import OBJECT_NAMES
from training.material.scenes import Scenes
from training.material.sound_questions import SoundQuestions
from training.nano import smoke_config
from training.onepeace.checkpoint import save_checkpoint
from training.onepeace.heads import load_fine_tuned
from training.onepeace.model import OnePeace
from training.onepeace.tokenizer import Tokenizer
from training.tests.test_material import invented_sprites
from training.tests.test_material_sounds import invented_clips, invented_words

SIDE = 48
TRUNK = "encoder_wrapper."


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer(BPE)


def pretrained(folder, tokenizer, head_type):
    torch.manual_seed(0)
    model = OnePeace(smoke_config(tokenizer.vocab_size, SIDE, head_type))
    save_checkpoint(folder / "pretrained.pt", model)
    return folder / "pretrained.pt", model


def new_trainer(group, out, tokenizer, init, *more, encoder=None):
    name = next(k for k, g in GROUPS.items() if isinstance(group, type(g)))
    argv = [name, "--init", str(init), "--out", str(out), "--side", str(SIDE), "--workers", "0",
            "--fp32", "--batch", "8", "--warmup", "5", "--lr", "4e-3", *more]
    args = finetune.arguments().parse_args(argv)
    torch.manual_seed(1)
    config, encoder = encoder or finetune.trunk_of(init, group.trunk, SIDE)
    return finetune.Trainer(group, config, encoder, tokenizer, args)


class InventedPictures(Pictures):
    def draw(self, args, tokenizer):
        shares = args.shares or {"grounding": 1, "picture-qa": 1, "pair-reasoning": 1 / 8, "segmentation": 1}
        return SceneBatches(tokenizer, args.batch, args.side, Scenes(invented_sprites()), shares)


class InventedSounds(Sounds):
    """The right answer is the pitch."""

    def draw(self, args, tokenizer):
        return lambda rng: self.tones(args.batch, tokenizer, rng)

    def tones(self, batch, tokenizer, rng):
        right = torch.from_numpy(rng.integers(4, size=batch))
        t = torch.arange(16000) / 16000
        waves = torch.sin(2 * torch.pi * torch.tensor([150.0, 500.0, 1500.0, 4000.0])[right][:, None] * t) * 1.4
        texts = [f"which pitch? answer: {answer}" for _ in range(batch) for answer in ("low", "middle", "high", "shrill")]
        return {"sound-qa": {"ids": padded(tokenizer, texts), "waves": waves, "right": right}}


def stepped(trainer, progress, count):
    """`count` steps at one place of the schedule."""
    trainer.elapsed_s = progress * 60 * trainer.args.minutes
    return [trainer.step() for _ in range(count)]


def tensors(path):
    return torch.load(path, map_location="cpu")["model"]


def test_picture_heads_learn_share_one_trunk_and_resume(tokenizer, tmp_path):
    init, _ = pretrained(tmp_path, tokenizer, "vl")
    group = InventedPictures()
    trainer = new_trainer(group, tmp_path, tokenizer, init, "--warm-share", "0.2")
    warm = stepped(trainer, 0.1, 4)
    assert all(set(row) == {"segmentation loss", "segmentation accuracy", "segmentation shown"} for row in warm)
    seen = stepped(trainer, 0.3, 24)
    for task, part in (("grounding", 0.92), ("picture-qa", 0.95), ("segmentation", 0.97)):
        losses = [float(s[f"{task} loss"] + s[f"{task} shown"]) for s in seen]
        assert np.mean(losses[-6:]) < part * np.mean(losses[:4]), (task, losses)
    trainer.save(tmp_path)
    again = new_trainer(group, tmp_path, tokenizer, tmp_path / "grounding.pt")
    again.load(tmp_path)
    assert again.steps == 28
    left, right = (stepped(t, 0.5, 1)[0] for t in (trainer, again))
    assert float(left["picture-qa loss"]) == pytest.approx(float(right["picture-qa loss"]), rel=1e-4)

    heads = {name: tensors(tmp_path / f"{name}.pt") for name in trainer.tasks}
    trunk = {k: v for k, v in heads["grounding"].items() if k.startswith(TRUNK)}
    for name, head in heads.items():
        shared = [k for k in head if k.startswith(TRUNK)]
        assert len(shared) > 30 and all(torch.equal(head[k], trunk[k]) for k in shared), name
        assert load_fine_tuned(tmp_path / f"{name}.pt").head == trainer.tasks[name].head
    assert not any("text_" in k for k in heads["segmentation"])
    before = tensors(init)[TRUNK + "text_adapter.embed_tokens.weight"]
    assert torch.equal(trunk[TRUNK + "text_adapter.embed_tokens.weight"], before)
    assert len(json.loads((tmp_path / "picture-qa.labels.json").read_text())) == trainer.tasks["picture-qa"].head.num_classes


def test_of_six_layers_questions_change_the_upper_half_and_what_sees_pictures_below():
    layers, frozen = "fusion_model.layers.", Questions().is_frozen
    assert frozen(layers + "0.self_attn.q_proj.weight", 6) and frozen("image_adapter.rel_pos_table_list.0.weight", 6)
    assert not frozen(layers + "1.self_attn.q_proj.weight", 6) and not frozen(layers + "1.image_ffn.3.weight", 6)
    assert frozen(layers + "2.text_ffn.3.weight", 6) and not frozen(layers + "3.text_ffn.3.weight", 6)
    assert frozen(layers + "5.image_ffn.3.weight", 6) and not frozen(layers + "5.text_ffn.3.weight", 6)
    assert frozen("image_adapter.embed_images.0.weight", 6) and not frozen("fusion_model.text_layer_norm.weight", 6)
    assert not frozen("text_adapter.rel_pos_table_list.4.weight", 6)


def test_sound_questions_are_learnt_from_the_sound(tokenizer, tmp_path):
    init, _ = pretrained(tmp_path, tokenizer, "val")
    trainer = new_trainer(InventedSounds(), tmp_path, tokenizer, init)
    accuracy = [float(row["sound-qa accuracy"]) for row in stepped(trainer, 0.1, 60)]
    assert np.mean(accuracy[-10:]) > 0.7, accuracy  # chance is 0.25


def test_labels_leave_the_trunk_as_it_was(tokenizer, tmp_path):
    init, model = pretrained(tmp_path, tokenizer, "val")
    group = Labels()
    group.draw = lambda args, _: lambda rng: {
        "picture-class": {"images": torch.ones(4, 3, SIDE, SIDE) * torch.tensor([0.0, 1, 2, 3]).view(4, 1, 1, 1),
                          "answers": torch.arange(4)},
        "sound-class": {"waves": torch.randn(2, 16000, generator=torch.Generator().manual_seed(3)), "answers": torch.arange(2)}}
    trainer = new_trainer(group, tmp_path, tokenizer, init)
    losses = [float(row["picture-class loss"]) for row in stepped(trainer, 0.1, 20)]
    assert losses[-1] < 0.7 * losses[0], losses
    trainer.save(tmp_path)
    after, before = tensors(tmp_path / "sound-class.pt"), model.state_dict()
    for name in [n for n in after if n.startswith(TRUNK) and "rel_pos_table_list" not in n]:
        assert torch.equal(after[name], before[name]), name
    assert torch.equal(after[TRUNK + "audio_adapter.rel_pos_table_list.1.weight"],
                       before[TRUNK + "audio_adapter.rel_pos_table_list.0.weight"])


def test_patches_know_what_covers_them():
    mask = np.zeros((32, 32), bool)
    mask[:16, :8] = True
    assert covered_patches(mask).tolist() == [0.5, 0, 0, 0]
    scene = Scenes(invented_sprites()).draw(np.random.default_rng(0), 96)
    names, colours, frames, _ = shown_in_patches(scene).values()
    assert names.shape == colours.shape == (36,) and (names > 0).any() and (names == 0).any()
    assert (colours[names == 0] == -1).all()  # a background has no colour to learn
    assert {tuple(box) for box in frames[names > 0].tolist()} <= {tuple(torch.tensor(t.box, dtype=torch.float32).tolist())
                                                                  for t in scene.things}


def test_larger_models_see_scenes_of_the_benchmarks_size_enlarged(tokenizer):
    draw = lambda side: SceneBatches(tokenizer, 2, side, Scenes(invented_sprites()), {"picture-qa": 1})(np.random.default_rng(5))
    small, large = draw(DRAWN_PX)["picture-qa"], draw(DRAWN_PX + 64)["picture-qa"]
    assert torch.equal(small["ids"], large["ids"]) and torch.equal(small["answers"], large["answers"])
    assert small["images"].shape[-1] == 128 and large["images"].shape[-1] == 192
    halved = torch.nn.functional.interpolate(large["images"], size=128, mode="area")
    assert (halved - small["images"]).abs().mean() < 0.1 * small["images"].std()
    share = lambda batch: float((batch["names"] > 0).float().mean())
    assert large["names"].shape == (2, 144) and share(large) == pytest.approx(share(small), abs=0.15)


def test_box_loss_is_nil_for_the_right_box_and_counts_disorder():
    boxes = torch.tensor([[0.2, 0.3, 0.6, 0.9], [0.1, 0.1, 0.4, 0.5]])
    logit = lambda b: torch.log(b / (1 - b))
    loss, accuracy = box_loss(logit(boxes), boxes)
    assert float(loss) == pytest.approx(0, abs=1e-5) and accuracy == 1
    turned = boxes[:, [2, 3, 0, 1]]
    assert box_loss(logit(turned), boxes)[1] == 0
    iou, covered = box_iou(torch.tensor([[0.0, 0, 0.5, 1]]), torch.tensor([[0.25, 0.0, 0.75, 1]]))
    assert float(iou) == pytest.approx(1 / 3) and float(covered) == pytest.approx(1)


def test_a_run_may_go_on_with_some_of_the_tasks_from_the_trunk_of_a_finished_head(tokenizer, tmp_path):
    init, model = pretrained(tmp_path, tokenizer, "vl")
    first = new_trainer(InventedPictures(), tmp_path, tokenizer, init, "--shares", "segmentation=1")
    stepped(first, 0.3, 3)
    first.save(tmp_path)
    config, encoder = finetune.trunk_of(init, InventedPictures().trunk, SIDE, tmp_path / "segmentation.pt")
    own, text = encoder.state_dict(), model.state_dict()
    kept = {k: v for k, v in tensors(tmp_path / "segmentation.pt").items() if k.startswith(TRUNK)}
    assert all(torch.equal(own[k[len(TRUNK):]], v) for k, v in kept.items())
    assert torch.equal(own["text_adapter.embed_positions.weight"], text[TRUNK + "text_adapter.embed_positions.weight"])

    again = new_trainer(InventedPictures(), tmp_path, tokenizer, init, "--shares", "grounding=1,segmentation=0.5")
    again.begin_with(tmp_path / "segmentation.pt")
    head = tensors(tmp_path / "segmentation.pt")["segment_head.mix.weight"]
    assert torch.equal(again.model["segmentation"].segment_head.mix.weight, head)
    row = stepped(again, 0.3, 1)[0]
    assert {key.split()[0] for key in row} == {"grounding", "segmentation"}


def test_what_is_said_is_marked_at_the_last_token_of_the_word(tokenizer):
    said = Said(tokenizer)
    ids = padded(tokenizer, ["how many red tomatoes are there?", "nothing of that"])
    marked = said(ids)
    assert not (marked["said_names"][1] >= 0).any() and not (marked["said_colours"][1] >= 0).any()
    assert set(marked["said_names"][0].tolist()) - {-1} == {1 + OBJECT_NAMES.index("tomato")}
    assert (marked["said_colours"][0] >= 0).sum() == 1 and marked["said_colours"][0].argmax() < marked["said_names"][0].argmax()


class InventedQuestions(Questions):
    def draw(self, args, tokenizer):
        shares = {"picture-qa": 1, "pair-reasoning": 0.25}
        return SceneBatches(tokenizer, args.batch, args.side, Scenes(invented_sprites()), shares)


def test_questions_learn_above_a_finished_trunk_and_leave_its_lower_half_as_it_is(tokenizer, tmp_path):
    init, _ = pretrained(tmp_path, tokenizer, "vl")
    first = new_trainer(InventedPictures(), tmp_path, tokenizer, init, "--shares", "segmentation=1,picture-qa=0.5")
    stepped(first, 0.3, 2)
    first.save(tmp_path)
    config, encoder = finetune.trunk_of(init, Questions().trunk, SIDE, tmp_path / "picture-qa.pt")
    again = new_trainer(InventedQuestions(), tmp_path / "questions", tokenizer, init, encoder=(config, encoder))
    again.begin_with(tmp_path / "picture-qa.pt")
    losses = [float(row["picture-qa loss"] + row["picture-qa shown"]) for row in stepped(again, 0.3, 24)]
    assert np.mean(losses[-6:]) < 0.95 * np.mean(losses[:4]), losses
    (tmp_path / "questions").mkdir()
    again.save(tmp_path / "questions")
    before, after = tensors(tmp_path / "picture-qa.pt"), tensors(tmp_path / "questions" / "picture-qa.pt")
    same = {k for k in after if k.startswith(TRUNK) and torch.equal(before[k], after[k])}
    lower, upper = f"{TRUNK}fusion_model.layers.0.", f"{TRUNK}fusion_model.layers.1."
    adapters = {k for k in after if "_adapter." in k and "rel_pos_table_list.1" not in k}
    unread = {k for k in after if k.startswith(f"{upper}image_ffn")}  # no answer reads pictures behind the last layer
    assert {k for k in after if k.startswith(lower)} | adapters | unread <= same
    assert not {k for k in after if k.startswith(upper) and "weight" in k} - unread & same
    pairs = tensors(tmp_path / "questions" / "pair-reasoning.pt")
    assert all(torch.equal(after[k], pairs[k]) for k in after if k.startswith(TRUNK))


class InventedSoundQuestions(Sounds):
    def draw(self, args, tokenizer):
        return SoundBatches(tokenizer, args.batch, SoundQuestions(False, Events("train", invented_clips()), invented_words()))


def test_frames_and_words_of_sound_questions_learn_and_the_lower_half_stays(tokenizer, tmp_path):
    init, model = pretrained(tmp_path, tokenizer, "val")
    trainer = new_trainer(InventedSoundQuestions(), tmp_path, tokenizer, init)
    losses = [float(row["sound-qa shown"]) for row in stepped(trainer, 0.3, 20)]
    assert np.mean(losses[-5:]) < 0.9 * np.mean(losses[:3]), losses
    trainer.save(tmp_path)
    after, before = tensors(tmp_path / "sound-qa.pt"), model.state_dict()
    convs = [k for k in after if "embed_audios" in k or k.startswith(f"{TRUNK}fusion_model.layers.0.")]
    assert len(convs) > 20 and all(torch.equal(after[k], before[k]) for k in convs)
