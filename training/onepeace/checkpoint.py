"""Checkpoints in the official layout (§3, §4)."""
import torch

from .config import cfg_from_config, config_from_cfg
from .decoder import decoder_config
from .model import OnePeace
from .pretrain import OnePeacePretrain
from .relative_position import enlarge_rel_pos_table, image_buckets

TEXT_TOKENS = "encoder_wrapper.text_adapter.embed_tokens.weight"
IMAGE = "encoder_wrapper.image_adapter."
BUFFERS = ("rp_bucket", "position_idx", "fusion_model.version")  # derived from the shapes


def save_checkpoint(path, model, extra_state=None):
    """Writes model and cfg as the official trainer does; fp32 tensors, the two large token buffers left out."""
    tensors = {name: t.detach().cpu().clone() for name, t in model.state_dict().items()}
    if "image" in model.config.branches:
        tensors[IMAGE + "position_idx"] = torch.arange(model.config.image_bucket_size**2 + 1)
        tensors[IMAGE + "rp_bucket"] = image_buckets(model.config.image_rel_bucket_size)
    torch.save({"args": None, "cfg": cfg_from_config(model.config), "model": tensors, "criterion": None,
                "optimizer_history": [], "task_state": {}, "extra_state": extra_state or {}}, path)


def load_pretrain(path):
    """A pretraining checkpoint with its decoder -> OnePeacePretrain, strict about every tensor."""
    file = torch.load(path, map_location="cpu")
    config = config_from_cfg(file["cfg"], file["model"][TEXT_TOKENS].shape[0])
    sizes = file["cfg"]["model"]["decoder"]
    names = ("embed_dim", "ffn_embed_dim", "layers", "attention_heads")
    model = OnePeacePretrain(config, decoder_config(config, *(sizes[name] for name in names)))
    load_exactly(model, {k: v.float() for k, v in file["model"].items() if not k.endswith(BUFFERS)})
    return model.eval()


def load_checkpoint(path, patch_image_size=None):
    """A retrieval or pretraining checkpoint -> OnePeace, strict about every tensor that the branches need.

    `patch_image_size` enlarges the relative image tables as official loading does. Raises ValueError that names all
    missing and mis-shaped tensors. Heads and decoders are left unread, as this model does not have them.
    """
    file = torch.load(path, map_location="cpu")
    return model_from(file["cfg"], file["model"], patch_image_size)


def model_from(cfg, tensors, patch_image_size=None):
    """As load_checkpoint, from the two parts in memory."""
    if patch_image_size:
        encoder = {**cfg["model"]["encoder"]}
        encoder["image_adapter"] = {**encoder["image_adapter"], "rel_bucket_size": patch_image_size // 16}
        cfg = {**cfg, "model": {**cfg["model"], "encoder": encoder},
               "task": {**cfg["task"], "patch_image_size": patch_image_size}}
    vocab = tensors[TEXT_TOKENS].shape[0] if TEXT_TOKENS in tensors else 4
    model = OnePeace(config_from_cfg(cfg, vocab))
    tensors = {k: v.float() for k, v in tensors.items() if not k.endswith(BUFFERS)}
    for name in [k for k in tensors if k.startswith(IMAGE + "rel_pos_table_list")]:
        tensors[name] = enlarge_rel_pos_table(tensors[name], model.config.image_rel_bucket_size)
    load_exactly(model, tensors, optional=("logit_scale", "text_proj", "image_proj", "audio_proj"))
    return model.eval()


def load_exactly(model, tensors, optional=()):
    """Copies tensors by name; a missing or mis-shaped one is an error, unless its name begins with an optional one."""
    own = model.state_dict()
    problems = [f"missing {k}" for k in own if k not in tensors and not k.startswith(tuple(optional))]
    problems += [f"shape of {k}: {tuple(tensors[k].shape)}, wanted {tuple(v.shape)}"
                 for k, v in own.items() if k in tensors and tensors[k].shape != v.shape]
    if problems:
        raise ValueError("checkpoint does not fit: " + "; ".join(problems))
    model.load_state_dict({k: tensors.get(k, v) for k, v in own.items()})
