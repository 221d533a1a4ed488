"""The checkpoint layout: round trip, official names, and errors that name everything."""
import pytest
import torch

from training.nano import nano_config, smoke_config
from training.onepeace.checkpoint import load_checkpoint, load_exactly, save_checkpoint
from training.onepeace.config import config_from_cfg, parse_feature_encoder_spec
from training.onepeace.model import OnePeace


def test_round_trip(tmp_path):
    torch.manual_seed(0)
    model = OnePeace(smoke_config(300)).eval()
    save_checkpoint(tmp_path / "a.pt", model)
    again = load_checkpoint(tmp_path / "a.pt")
    pictures, ids, waves = torch.randn(2, 3, 32, 32), torch.tensor([[5, 6, 2], [7, 2, 1]]), torch.randn(2, 16000)
    with torch.no_grad():
        assert torch.equal(model.image(pictures), again.image(pictures))
        assert torch.equal(model.text(ids), again.text(ids))
        assert torch.equal(model.audio(waves), again.audio(waves))


def test_layout(tmp_path):
    save_checkpoint(tmp_path / "a.pt", OnePeace(nano_config(6007)))
    file = torch.load(tmp_path / "a.pt")
    assert {"args", "cfg", "model", "criterion"} <= set(file) and file["args"] is None
    assert file["cfg"]["model"]["_name"] == "one_peace_retrieval" and file["cfg"]["task"]["head_type"] == "val"
    assert file["cfg"]["task"]["patch_image_size"] == 96
    assert config_from_cfg(file["cfg"], 6007).embed_dim == 192
    assert "encoder_wrapper.audio_adapter.embed_positions.5.0.weight" in file["model"]
    assert "encoder_wrapper.fusion_model.layers.5.audio_ffn.0.wi_1.weight" in file["model"]
    halves = sum(2 * t.numel() for t in file["model"].values() if t.is_floating_point())
    assert halves < 19e6  # bytes as fp16: the bundle stays under 20 MB


def test_problems_are_named_together():
    model = OnePeace(smoke_config(300))
    tensors = {k: v for k, v in model.state_dict().items() if k != "text_proj.bias"}
    tensors["image_proj.bias"] = torch.zeros(3)
    with pytest.raises(ValueError, match="missing text_proj.bias.*image_proj.bias"):
        load_exactly(model, tensors)


def test_padding_does_not_change_text():
    torch.manual_seed(0)
    model = OnePeace(smoke_config(300)).eval()
    with torch.no_grad():
        alone, padded = model.text(torch.tensor([[9, 8, 2]])), model.text(torch.tensor([[9, 8, 2, 1, 1]]))
    assert torch.allclose(alone, padded, atol=1e-6)


def test_spec_is_parsed_without_evaluation():
    assert parse_feature_encoder_spec("[(8, 10, 5)] + [(8,3,2)] * 2") == [(8, 10, 5), (8, 3, 2), (8, 3, 2)]
    with pytest.raises(ValueError):
        parse_feature_encoder_spec("__import__('os')")
