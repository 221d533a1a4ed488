"""Both pre-training tasks against the official implementation (set A): features of every pass, and every loss term."""
import numpy as np
import pytest
import torch

from training.losses import WEIGHTS, Everyone, contrastive_loss, denoising_terms, total
from training.onepeace.checkpoint import load_pretrain
from training.onepeace.preserve import Mask
from training.tests.test_parity import SET_A, case

STAGES = {"image-text": ("loss_image_text", "image", "itc", "vl"), "audio-text": ("loss_audio_text", "audio", "atc", "al")}
reference = pytest.mark.skipif(not SET_A.is_dir(), reason="reference outputs absent: set ONEPEACE_REFERENCE")


def read(stage, rows=slice(None)):
    """(manifest entry, wanted arrays, encoder inputs, masks) of a stage's loss case, or of some of its rows."""
    name, media, _, joint = STAGES[stage]
    found, _, given, wanted = case(name)
    t = {k: torch.from_numpy(v)[rows] for k, v in given.items()}
    mask = lambda prefix: Mask(t[f"{prefix}_mask_indices"].bool(), t[f"{prefix}_preserve_ids"])
    args = (t["src_images"],) if media == "image" else (t["src_audios"], t["audio_padding_masks"].bool())
    masks = {media: {media: mask(media)}, joint: {m: mask(f"{joint}_{m}") for m in ("text", media)}}
    if media == "image":
        masks["text"] = {"text": mask("text")}
    return found, wanted, {"text": (t["src_tokens"],), media: args}, masks


@pytest.fixture(scope="module")
def model():
    return load_pretrain(SET_A / "ckpt/pretrain_full.pt")


def passes(model, inputs, masks):
    """Everything that the losses compare: embeddings, features, joint teacher, students."""
    with torch.no_grad():
        encoded = {m: model.encode(m, *args) for m, args in inputs.items()}
        students = {task: model.denoise({m: inputs[m] for m in of}, of) for task, of in masks.items()}
        return encoded, model.teach(inputs), students


def losses(model, stage, encoded, joint, students, masks, smoothing, everyone=None):
    _, media, contrastive, _ = STAGES[stage]
    texts = encoded["text"][0]
    concepts = torch.arange(len(texts)) + (everyone.first if everyone else 0)
    with torch.no_grad():
        terms = {contrastive: contrastive_loss(encoded[media][0], texts, concepts, model.temperature(), everyone=everyone)}
        terms.update(denoising_terms(students, {m: f for m, (_, f) in encoded.items()}, joint, masks, smoothing))
    return terms


def compare(stage, terms, wanted):
    for name, value in terms.items():
        assert float(value) == pytest.approx(wanted[f"{name}_loss"], abs=1e-5), name
    assert {f"{n}_loss" for n in terms} == {n for n in wanted if n.endswith("_loss")}
    assert float(total(terms, WEIGHTS[stage])) == pytest.approx(wanted["loss"], abs=1e-5)


@reference
@pytest.mark.parametrize("stage", STAGES)
def test_every_pass_gives_the_official_features(model, stage):
    _, wanted, inputs, masks = read(stage)
    encoded, joint, students = passes(model, inputs, masks)
    _, media, _, task = STAGES[stage]
    got = {f"{m}.{kind}": values[i] for m, values in encoded.items() for i, kind in enumerate(("embedding", "teacher_features"))}
    got.update({f"teacher_{task}.{'text' if m == 'text' else 'media'}": x for m, x in joint.items()})
    got.update({f"student_{name}.{m}": x for name, student in students.items() for m, x in student.items()})
    got["logit_scale_exp"] = model.temperature().detach()
    assert got.keys() == wanted.keys()
    for name, values in got.items():
        np.testing.assert_allclose(values.numpy(), wanted[name], atol=5e-5, rtol=1e-4, err_msg=name)


@reference
@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("smoothing", (0.1, 0.0))
def test_every_loss_term_is_the_official_one(model, stage, smoothing):
    found, _, inputs, masks = read(stage)
    terms = losses(model, stage, *passes(model, inputs, masks), masks, smoothing)
    compare(stage, terms, found["losses_single_process"][f"label_smoothing_{smoothing}"])


@reference
@pytest.mark.parametrize("stage", STAGES)
def test_two_processes_share_their_negatives(model, stage):
    found = read(stage)[0]
    _, media, _, _ = STAGES[stage]
    ranks = []
    for rank in (0, 1):
        _, _, inputs, masks = read(stage, slice(2 * rank, 2 * rank + 2))
        ranks.append((passes(model, inputs, masks), masks))
    gathered = [torch.cat([parts[0][m][0] for parts, _ in ranks]) for m in (media, "text")]
    for rank, (parts, masks) in enumerate(ranks):
        terms = losses(model, stage, *parts, masks, 0.1, Everyone(*gathered, torch.arange(4), 2 * rank))
        compare(stage, terms, found["losses_two_ranks"][f"rank{rank}"])
