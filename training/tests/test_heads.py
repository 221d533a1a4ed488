"""Fine-tuned heads against the official one's outputs (set A), and checkpoints that come back as they were saved."""
from dataclasses import replace

import numpy as np
import pytest
import torch

from training.nano import smoke_config
from training.onepeace.heads import FineTuned, Head, head_config, load_fine_tuned, save_fine_tuned
from training.tests.test_parity import SET_A, case

HEADS = (
    Head("refcoco", "vl", 4, use_image_features=True), Head("vqa", "vl", 7, use_pooler=True),
    Head("nlvr2", "vl", 2, use_two_images=True), Head("vggsound", "audio", 5), Head("aqa", "al", 1), Head("segment", "image", 6),
    Head("image_classify", "image", 9),
)


@pytest.mark.skipif(not SET_A.is_dir(), reason="reference outputs absent: set ONEPEACE_REFERENCE")
@pytest.mark.parametrize("name", ("grounding_image", "grounding_text", "audio_classify", "aqa", "vqa", "nlvr2"))
def test_logits_are_the_official_ones(name):
    _, checkpoint, inputs, outputs = case(name)
    tensors = {k: torch.from_numpy(v) for k, v in inputs.items()}
    if name == "aqa":  # every sound serves four consecutive texts
        tensors.update({k: tensors[k].repeat_interleave(4, dim=0) for k in ("src_audios", "audio_padding_masks")})
    names = {"ids": "src_tokens", "images": "src_images", "images_2": "src_images_2", "waves": "src_audios"}
    arguments = {ours: tensors[theirs] for ours, theirs in names.items() if theirs in tensors}
    if "src_audios" in tensors:
        arguments["audio_padding"] = tensors["audio_padding_masks"].bool()
    with torch.no_grad():
        logits = load_fine_tuned(SET_A / checkpoint["file"])(**arguments)
    np.testing.assert_allclose(logits.numpy(), outputs["logits"], atol=2e-4, rtol=1e-4)


def inputs_of(head, side):
    generator = torch.Generator().manual_seed(0)
    given = {}
    if head.head_type in ("vl", "al"):
        given["ids"] = torch.tensor([[5, 6, 7, 2], [8, 2, 1, 1]])
    if head.head_type in ("vl", "image"):
        given["images"] = torch.randn(2, 3, side, side, generator=generator)
    if head.use_two_images:
        given["images_2"] = torch.randn(2, 3, side, side, generator=generator)
    if head.head_type in ("al", "audio"):
        given["waves"] = torch.randn(2, 16000, generator=generator)
    return given


@pytest.mark.parametrize("head", HEADS, ids=lambda head: head.task)
def test_a_saved_head_comes_back_and_learns_from_its_inputs(head, tmp_path):
    torch.manual_seed(1)
    config = head_config(smoke_config(50), head, 48)
    model = FineTuned(config, head).eval()
    save_fine_tuned(tmp_path / "head.pt", config, head, model.state_dict())
    again = load_fine_tuned(tmp_path / "head.pt")
    assert again.head == head and again.config == replace(config, vocab_size=again.config.vocab_size)
    given = inputs_of(head, 48)
    logits = again(**given)
    torch.testing.assert_close(logits, model(**given))
    assert logits.shape == ((2, 6, 12, 12) if head.task == "segment" else (2, head.num_classes))
    logits.square().sum().backward()
    untouched = [n for n, p in again.named_parameters() if p.grad is None or not p.grad.any()]
    assert not [n for n in untouched if n.startswith(("classify_head", "segment_head")) and "classifier" not in n], untouched
