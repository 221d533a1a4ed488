"""Two implementations against each other: this PyTorch model and the ONNX graphs that `onepeace convert` makes of its file.

Random checkpoints of several shapes are saved here, their outputs written as a goldens folder, and `onepeace verify` is the
judge. Needs the built command (npm ci); without it the tests are skipped, which pytest says.
"""
import json
from pathlib import Path
import subprocess

import numpy as np
import pytest
import torch

from training.onepeace.checkpoint import save_checkpoint
from training.onepeace.config import Config
from training.onepeace.model import OnePeace

ROOT = Path(__file__).resolve().parents[2]
BPE = ROOT / "training" / "bpe"
VOCABULARY = 4 + len((BPE / "dict.txt").read_text().splitlines())
SPEC = "[({c}, 10, 5)] + [({c}, 3, 2)] * 4 + [({c}, 2, 2)] + [({c}, 2, 2)]"
pytestmark = pytest.mark.skipif(not (ROOT / "dist/main.js").exists(), reason="the command is not built: run npm ci")

CONFIGS = {
    "wide": Config(embed_dim=96, ffn_embed_dim=160, layers=2, attention_heads=3, vocab_size=VOCABULARY,
                   text_bucket_size=16, image_bucket_size=3, image_rel_bucket_size=3, audio_bucket_size=24,
                   feature_encoder_spec=SPEC.format(c=24), layer_scale_init_value=0.5),
    "deep, a table a layer": Config(embed_dim=64, ffn_embed_dim=96, layers=5, attention_heads=8, vocab_size=VOCABULARY,
                                    text_bucket_size=64, image_bucket_size=2, image_rel_bucket_size=5, audio_bucket_size=32,
                                    feature_encoder_spec=SPEC.format(c=16), layer_scale_init_value=0.3,
                                    copy_rel_pos_table=True),
    "even position kernel": Config(embed_dim=32, ffn_embed_dim=48, layers=1, attention_heads=2, vocab_size=VOCABULARY,
                                   text_bucket_size=8, image_bucket_size=4, image_rel_bucket_size=4, audio_bucket_size=16,
                                   feature_encoder_spec=SPEC.format(c=8), conv_pos_depth=2, conv_pos_width=16,
                                   conv_pos_groups=4, layer_scale_init_value=1.0),
}


def goldens(model, folder):
    """Writes inputs and outputs of one padded batch a modality, in the manifest format of the reference."""
    side = model.config.patch_image_size
    ids = torch.tensor([[5, 9, 300, 2], [8, 2, 1, 1]])
    waves, padding = torch.randn(2, 24000), torch.zeros(2, 75, dtype=torch.bool)
    waves[1, 17000:] = 0
    padding[1, 53:] = True
    inputs = {
        "text": {"src_tokens": ids},
        "image": {"src_images": torch.randn(2, 3, side, side)},
        "audio": {"src_audios": waves, "audio_padding_masks": padding},
    }
    cases = []
    for kind, tensors in inputs.items():
        with torch.no_grad():
            features = model.embed(kind, *tensors.values())
        case = {"name": kind, "checkpoint": "random", "kind": kind, "inputs": {}, "outputs": {}}
        for group, named in (("inputs", tensors), ("outputs", {"features": features})):
            for name, tensor in named.items():
                array = tensor.numpy().astype(np.uint8) if tensor.dtype == torch.bool else tensor.numpy()
                np.save(folder / f"{kind}.{name}.npy", array)
                case[group][name] = {"file": f"{kind}.{name}.npy"}
        cases.append(case)
    (folder / "manifest.json").write_text(json.dumps({"cases": cases}))


def onepeace(*arguments):
    return subprocess.run(["node", ROOT / "bin/onepeace.js", *arguments], capture_output=True, text=True)


@pytest.mark.parametrize("name", CONFIGS)
def test_onnx_graphs_equal_the_pytorch_model(name, tmp_path):
    torch.manual_seed(0)
    model = OnePeace(CONFIGS[name]).eval()
    with torch.no_grad():
        for parameter in model.parameters():  # zeros and ones would hide a bias left out or a norm without its scale
            parameter.add_(0.1 * torch.randn_like(parameter))
    goldens(model, tmp_path)
    save_checkpoint(tmp_path / "random.pt", model)
    converted = onepeace("convert", tmp_path / "random.pt", "--bpe", BPE, "--out", tmp_path / "bundle")
    assert converted.returncode == 0, converted.stderr
    verified = onepeace("verify", tmp_path / "bundle", tmp_path, "--checkpoint", "random", "--json")
    report = json.loads(verified.stdout)
    assert verified.returncode == 0, report
    assert [case["name"] for case in report["cases"]] == ["text", "image", "audio"]
    print({case["name"]: case["maxDifference"] for case in report["cases"]})
