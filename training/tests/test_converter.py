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
from training.onepeace.heads import FineTuned, head_config, save_fine_tuned
from training.onepeace.model import OnePeace
from training.tests.test_heads import HEADS, inputs_of

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
            cases.append(golden(folder, kind, tensors, {"features": model.embed(kind, *tensors.values())}))
    (folder / "manifest.json").write_text(json.dumps({"cases": cases}))


def golden(folder, kind, inputs, outputs):
    """Writes one case's arrays; returns its entry in the manifest."""
    case = {"name": kind, "checkpoint": "random", "kind": kind, "inputs": {}, "outputs": {}}
    for group, named in (("inputs", inputs), ("outputs", outputs)):
        for name, tensor in named.items():
            array = tensor.numpy().astype(np.uint8) if tensor.dtype == torch.bool else tensor.numpy()
            np.save(folder / f"{kind}.{name}.npy", array)
            case[group][name] = {"file": f"{kind}.{name}.npy"}
    return case


def onepeace(*arguments):
    return subprocess.run(["node", ROOT / "bin/onepeace.js", *arguments], capture_output=True, text=True)


@pytest.mark.parametrize("name", CONFIGS)
def test_onnx_graphs_equal_the_pytorch_model(name, tmp_path):
    torch.manual_seed(0)
    model = shaken(OnePeace(CONFIGS[name]))
    goldens(model, tmp_path)
    save_checkpoint(tmp_path / "random.pt", model)
    assert [case["name"] for case in verified_cases(tmp_path)] == ["text", "image", "audio"]


TASKS = {"refcoco": "grounding", "vqa": "answering", "nlvr2": "pair-reasoning", "vggsound": "classification",
         "image_classify": "classification", "aqa": "answer-choice", "segment": "segmentation"}


@pytest.mark.parametrize("head", HEADS, ids=lambda head: head.task)
def test_a_head_as_a_graph_equals_the_pytorch_head(head, tmp_path):
    torch.manual_seed(0)
    config = head_config(CONFIGS["wide"], head, 48)
    model, inputs = shaken(FineTuned(config, head)), inputs_of(head, 48)
    with torch.no_grad():
        logits = model(**inputs)
    names = {"ids": "src_tokens", "images": "src_images", "images_2": "src_images_2", "waves": "src_audios"}
    given = {names[k]: v for k, v in inputs.items()}
    if "src_audios" in given:
        given["audio_padding_masks"] = torch.zeros(len(logits), 50, dtype=torch.bool)  # 49 frames of a second, and CLS
    case = golden(tmp_path, TASKS[head.task], given, {"logits": logits})
    (tmp_path / "manifest.json").write_text(json.dumps({"cases": [case]}))
    save_fine_tuned(tmp_path / "random.pt", config, head, model.state_dict())
    assert len(verified_cases(tmp_path)) == 1


def shaken(model):
    """Zeros and ones would hide a bias left out or a norm without its scale."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model.eval()


def verified_cases(folder):
    """Converts folder/random.pt and verifies it against the folder's goldens; the report's cases."""
    converted = onepeace("convert", folder / "random.pt", "--bpe", BPE, "--out", folder / "bundle")
    assert converted.returncode == 0, converted.stderr
    verified = onepeace("verify", folder / "bundle", folder, "--checkpoint", "random", "--json")
    report = json.loads(verified.stdout)
    assert verified.returncode == 0, report
    return report["cases"]
