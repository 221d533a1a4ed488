"""A bundle gives back the tensors that its checkpoints had."""
import json
from pathlib import Path

import pytest
import torch

from training import from_bundle
from training.onepeace.checkpoint import load_checkpoint
from training.onepeace.heads import load_fine_tuned

BUNDLE = Path(__file__).resolve().parents[2] / "models" / "onepeace-nano"
pytest.importorskip("onnx", reason="reading bundles needs the onnx package")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("checkpoints")
    from_bundle.main([str(BUNDLE), "--out", str(out)])
    return out


def test_it_writes_checkpoints_that_load_as_any_other(folder):
    model = load_checkpoint(folder / "nano.pt")
    assert model.config.branches == ("text", "image", "audio") and model.config.embed_dim == 192
    for entry in json.loads((BUNDLE / "manifest.json").read_text())["heads"]:
        head = load_fine_tuned(folder / f"{entry['name']}.pt")
        labels = folder / f"{entry['name']}.labels.json"
        assert (json.loads(labels.read_text()) if labels.exists() else None) == entry.get("labels")
        assert head.config.patch_image_size == entry.get("image", {}).get("sizePx", head.config.patch_image_size)


def test_a_name_is_near_its_picture_only_if_every_matrix_is_the_right_way_round(folder):
    """Words of one kind are nearer to each other than to others: square matrices, transposed, would leave noise."""
    from training.material.paths import BPE
    from training.onepeace.tokenizer import Tokenizer
    from training.tokens import embed_texts

    texts = embed_texts(load_checkpoint(folder / "nano.pt"), Tokenizer(BPE),
                        ["flag: France", "flag: Italy", "clock face seven-thirty", "clock face eight-thirty"])
    near = texts @ texts.t()
    assert near[0, 1] > near[0, 2] + 0.1 and near[2, 3] > near[2, 0] + 0.1, near


def test_heads_on_the_frozen_trunk_have_its_tensors_to_the_bit(folder):
    nano = load_checkpoint(folder / "nano.pt").state_dict()
    sound = load_fine_tuned(folder / "sound-class.pt").state_dict()
    shared = [k for k in sound if k in nano and "mask_embedding" not in k]
    assert len(shared) > 100 and all(torch.equal(sound[k], nano[k]) for k in shared)


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_a_bundle_of_today_gives_back_every_tensor_and_one_in_few_bits_says_that_it_cannot(precision, tmp_path):
    from training.onepeace.checkpoint import save_checkpoint
    from training.onepeace.model import OnePeace
    from training.tests.test_converter import BPE, CONFIGS, ROOT, onepeace, shaken

    if not (ROOT / "dist/main.js").exists():
        pytest.skip("the command is not built: run npm ci")
    model = shaken(OnePeace(CONFIGS["wide"]))
    save_checkpoint(tmp_path / "random.pt", model)
    converted = onepeace("convert", tmp_path / "random.pt", "--bpe", BPE, "--out", tmp_path / "bundle", "--precision", precision)
    assert converted.returncode == 0, converted.stderr
    manifest = json.loads((tmp_path / "bundle" / "manifest.json").read_text())
    if precision == "int8":
        with pytest.raises(ValueError, match="few bits"):
            from_bundle.retrieval_model(tmp_path / "bundle", manifest)
        return
    found = from_bundle.retrieval_model(tmp_path / "bundle", manifest).state_dict()
    for name, tensor in model.state_dict().items():
        if name not in from_bundle.UNUSED and name != "logit_scale":
            assert torch.equal(found[name], tensor), name
