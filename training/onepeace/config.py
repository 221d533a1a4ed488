"""The architecture as a small frozen record, read from or written to a checkpoint's `cfg` (never guessed from defaults)."""
from dataclasses import dataclass
import re
from typing import Optional

MODALITIES = ("text", "image", "audio")
BRANCHES = {"vl": ("text", "image"), "al": ("text", "audio"), "val": MODALITIES,
            "text": ("text",), "image": ("image",), "audio": ("audio",)}


@dataclass(frozen=True)
class Config:
    """What the shapes of all tensors follow from."""

    embed_dim: int
    ffn_embed_dim: int
    layers: int
    attention_heads: int
    vocab_size: int
    text_bucket_size: int
    image_bucket_size: int  # side of the pos_embed grid
    image_rel_bucket_size: int  # side of the grid of the model input: patch_image_size / 16
    audio_bucket_size: int
    feature_encoder_spec: str  # "[(channels, kernel, stride)] * n + …", seven convolutions
    conv_pos_depth: int = 5
    conv_pos_width: int = 95
    conv_pos_groups: int = 16
    layer_scale_init_value: Optional[float] = 1e-6  # None: no layer scale, as in the decoder of pre-training
    drop_path_rate: float = 0.0  # of the last layer, rising linearly from 0; training only
    copy_rel_pos_table: bool = False  # one relative table a layer instead of one shared table
    add_type_embedding: bool = False  # NLVR2: which picture of a pair, and that text is text
    head_type: str = "val"

    @property
    def branches(self):
        return BRANCHES[self.head_type]

    @property
    def patch_image_size(self):
        return 16 * self.image_rel_bucket_size

    @property
    def rel_pos_tables(self):
        return self.layers if self.copy_rel_pos_table else 1

    @property
    def conv_layers(self):
        return parse_feature_encoder_spec(self.feature_encoder_spec)

    def frames(self, samples):
        """Audio frames of a clip of so many samples (§7)."""
        for _, kernel, stride in self.conv_layers:
            samples = (samples - kernel) // stride + 1
        return samples


def parse_feature_encoder_spec(spec):
    """"[(32, 10, 5)] + [(32, 3, 2)] * 4" -> [(32, 10, 5), (32, 3, 2), …] without evaluating code."""
    term = re.compile(r"\s*\[\s*\((\d+)\s*,\s*(\d+)\s*,\s*(\d+)\)\s*\]\s*(?:\*\s*(\d+))?\s*")
    layers = []
    for part in spec.split("+"):
        match = term.fullmatch(part)
        if not match:
            raise ValueError(f"unreadable feature_encoder_spec: {part!r}")
        channels, kernel, stride, times = match.groups()
        layers += [(int(channels), int(kernel), int(stride))] * int(times or 1)
    return layers


def config_from_cfg(cfg, vocab_size):
    """Config of a checkpoint's `cfg` (§3). `vocab_size` comes from the embedding, as the dictionary is another file."""
    model, task = cfg["model"], cfg["task"]
    encoder = model["encoder"]
    text, image, audio = (encoder[f"{m}_adapter"] for m in MODALITIES)
    unsupported = [k for k in ("scale_attn", "scale_heads") if encoder[k]]
    unsupported += [k for k in ("magneto_scale_attn", "scale_fc", "use_layer_scale") if not encoder[k]]
    unsupported += [k for k in ("layernorm_embedding",) if any(a[k] for a in (text, image, audio))]
    if unsupported:
        raise ValueError(f"configuration flags outside the released models: {unsupported}")
    fine_tuned = model["_name"] in ("one_peace_classify", "one_peace_segment")
    built_by_task = fine_tuned or model["_name"] == "one_peace_retrieval"
    return Config(
        embed_dim=encoder["embed_dim"], ffn_embed_dim=encoder["ffn_embed_dim"], layers=encoder["layers"],
        attention_heads=encoder["attention_heads"], vocab_size=vocab_size,
        text_bucket_size=text["bucket_size"], image_bucket_size=image["bucket_size"],
        image_rel_bucket_size=task["patch_image_size"] // 16 if built_by_task else image["rel_bucket_size"],
        audio_bucket_size=audio["bucket_size"], feature_encoder_spec=audio["feature_encoder_spec"],
        conv_pos_depth=audio["conv_pos_depth"], conv_pos_width=audio["conv_pos_width"],
        conv_pos_groups=audio["conv_pos_groups"], layer_scale_init_value=encoder["layer_scale_init_value"],
        add_type_embedding=bool(text["add_type_embedding"]),
        copy_rel_pos_table=fine_tuned or bool(model.get("copy_rel_pos_table", False)),
        head_type=task["head_type"],
    )


def cfg_from_config(config, max_duration=15, max_src_length=70):
    """The `cfg` of a retrieval checkpoint in the official layout (§3), all encoder fields present."""
    shared = {"_name": None, "layernorm_embedding": False, "add_type_embedding": config.add_type_embedding, "shrink_alpha": 1.0,
              "dropout": 0.0, "use_attn_bias": True}
    encoder = {
        "_name": None, "embed_path": None, "embed_dim": config.embed_dim, "ffn_embed_dim": config.ffn_embed_dim,
        "layers": config.layers, "attention_heads": config.attention_heads, "normalize_before": True,
        "learned_pos": True, "layerdrop": 0.0, "layers_to_keep": None,
        "text_adapter": {**shared, "bucket_size": config.text_bucket_size},
        "image_adapter": {**shared, "bucket_size": config.image_bucket_size,
                          "rel_bucket_size": config.image_rel_bucket_size, "vision_encoder_type": "hmlp"},
        "audio_adapter": {**shared, "feature_embed_dim": config.conv_layers[-1][0],
                          "feature_encoder_spec": config.feature_encoder_spec, "abs_pos_type": "conv",
                          "conv_pos_depth": config.conv_pos_depth, "conv_pos_width": config.conv_pos_width,
                          "conv_pos_groups": config.conv_pos_groups, "conv_pos_pre_ln": False,
                          "bucket_size": config.audio_bucket_size, "conv_bias": False, "freeze_extractor": False},
        "drop_path_rate": config.drop_path_rate, "magneto_scale_attn": True, "scale_attn": False, "scale_fc": True,
        "scale_heads": False,
        "use_text_moe": "text" in config.branches, "use_image_moe": "image" in config.branches,
        "use_audio_moe": "audio" in config.branches, "use_layer_scale": True,
        "layer_scale_init_value": config.layer_scale_init_value, "activation_fn": "gelu", "dropout": 0.0,
        "attention_dropout": 0.0, "activation_dropout": 0.0, "max_positions": 1024, "checkpoint_activations": False,
        "fsdp_checkpoint_wrap_layer_preserve_frequency": 1, "fsdp_checkpoint_wrap_layer_skip_frequency": 1000,
        "offload_activations": False,
    }
    model = {"_name": "one_peace_retrieval", "encoder": encoder, "copy_rel_pos_table": config.copy_rel_pos_table}
    task = {"_name": "image_text_retrieval", "bpe_dir": "bpe", "max_positions": 1024, "max_src_length": max_src_length,
            "patch_image_size": config.patch_image_size, "max_duration": max_duration,
            "feature_encoder_spec": config.feature_encoder_spec, "head_type": config.head_type, "num_classes": None,
            "use_two_images": False}
    return {"_name": None, "model": model, "task": task}
