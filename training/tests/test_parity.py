"""Our implementation against the official one's outputs (set A), at the tolerances of the specification (§15).

The reference folder is ONEPEACE_REFERENCE, by default ../shared/reference beside the repository; without it these tests are
skipped, which pytest says.
"""
import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from training.onepeace.checkpoint import load_checkpoint
from training.onepeace.relative_position import (
    enlarge_rel_pos_table, image_buckets, interpolate_pos_embed, token_buckets)

DEFAULT = Path(__file__).resolve().parents[2].parent / "shared" / "reference"
REFERENCE = Path(os.environ.get("ONEPEACE_REFERENCE", DEFAULT))
SET_A = REFERENCE / "setA"
pytestmark = pytest.mark.skipif(not SET_A.is_dir(), reason="reference outputs absent: set ONEPEACE_REFERENCE")

CASES = (
    "text_batch image_batch audio_batch audio_single_0 audio_single_1 audio_single_2 text_single_0 text_single_3 "
    "image_upscaled_tables retrieval_vl_text retrieval_vl_image retrieval_al_text retrieval_al_audio "
    "text_batch_fp16 image_batch_bf16"
).split()
JOINT_CASES = ("grounding_image", "grounding_text", "aqa")


def case(name):
    manifest = json.loads((SET_A / "manifest.json").read_text())
    found = next(c for c in manifest["cases"] if c["name"] == name)
    read = lambda group: {k: np.load(SET_A / v["file"]) for k, v in found[group].items()}
    return found, manifest["checkpoints"][found["checkpoint"]], read("inputs"), read("outputs")


def run(model, inputs):
    """(modality, hidden states, embedding) of a single-modality case."""
    tensors = {k: torch.from_numpy(v) for k, v in inputs.items()}
    modality, args = {
        "src_tokens": lambda: ("text", (tensors["src_tokens"],)),
        "src_images": lambda: ("image", (tensors["src_images"],)),
        "src_audios": lambda: ("audio", (tensors["src_audios"], tensors["audio_padding_masks"].bool())),
    }[next(iter(inputs))]()
    with torch.no_grad():
        hidden = model.encoder_wrapper({modality: args})[modality]
        return modality, hidden.numpy(), model.embed(modality, *args).numpy()


@pytest.mark.parametrize("name", CASES)
def test_embeddings(name):
    found, checkpoint, inputs, outputs = case(name)
    model = load_checkpoint(SET_A / checkpoint["file"], found.get("patch_image_size"))
    _, hidden, embedding = run(model, inputs)
    half = {"torch.float16": 5e-3, "torch.bfloat16": 4e-2}  # goldens computed in half precision, ours in fp32
    tolerance = half.get(checkpoint["dtype"], 2e-5)
    np.testing.assert_allclose(embedding, outputs["features"], atol=tolerance, rtol=0)
    if "hidden" in outputs:
        np.testing.assert_allclose(hidden, outputs["hidden"], atol=2e-4, rtol=1e-4)


@pytest.mark.parametrize("name", JOINT_CASES)
def test_joint_hidden_states(name):
    found, checkpoint, inputs, outputs = case(name)
    model = load_checkpoint(SET_A / checkpoint["file"])
    t = {k: torch.from_numpy(v) for k, v in inputs.items()}
    joint = {"text": (t["src_tokens"],)}
    if "src_images" in t:
        joint["image"] = (t["src_images"],)
    else:  # every sound serves four consecutive texts
        repeat = lambda x: x.repeat_interleave(4, dim=0)
        joint["audio"] = (repeat(t["src_audios"]), repeat(t["audio_padding_masks"]).bool())
    with torch.no_grad():
        hidden = model.encoder_wrapper(joint)
    for modality, values in hidden.items():
        if f"{modality}_hidden" in outputs:
            np.testing.assert_allclose(values.numpy(), outputs[f"{modality}_hidden"], atol=2e-4, rtol=1e-4)


@pytest.mark.parametrize("size", (32, 64, 256, 512))
def test_token_buckets(size):
    """The reference lists one bucket a distance; rows and columns of CLS are left out here."""
    wanted = np.load(REFERENCE / f"units/arrays/token_bucket_{size}.npy")  # of query - key = -1023..1023
    buckets = token_buckets(size, 1024).numpy()
    np.testing.assert_array_equal(buckets[1023, 1:], wanted[1023 + 1023 - np.arange(1, 1024)])
    np.testing.assert_array_equal(buckets[1:, 1023], wanted[1023 + np.arange(1, 1024) - 1023])
    assert (buckets[0, 1], buckets[1, 0], buckets[0, 0]) == (2 * size - 1, 2 * size, 2 * size + 1)


@pytest.mark.parametrize("side", (4, 6, 16))
def test_image_buckets(side):
    np.testing.assert_array_equal(image_buckets(side).numpy(), np.load(REFERENCE / f"units/arrays/image_bucket_{side}.npy"))


@pytest.mark.parametrize("sides", ("4_6", "16_24", "16_32"))
def test_interpolation(sides):
    load = lambda kind, end: torch.from_numpy(np.load(REFERENCE / f"units/arrays/{kind}_interp_{sides}.{end}.npy"))
    target = int(sides.split("_")[1])
    positions = interpolate_pos_embed(load("pos", "in"), target)
    np.testing.assert_allclose(positions.numpy(), load("pos", "out").numpy(), atol=1e-5)
    grid = load("rel", "in")  # without the three CLS rows
    table = enlarge_rel_pos_table(torch.cat([grid, torch.ones(3, grid.shape[1])]), target)
    np.testing.assert_allclose(table[:-3].numpy(), load("rel", "out").numpy(), atol=2e-6)
    assert torch.equal(table[-3:], torch.ones(3, grid.shape[1]))
