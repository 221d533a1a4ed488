"""Fine-tuned models: the encoder with a head in the official layout (§4.4, §9.1), or with our segmentation head."""
from dataclasses import dataclass, replace

import torch
from torch import nn
import torch.nn.functional as F

from .checkpoint import load_exactly
from .config import cfg_from_config, config_from_cfg
from .encoder import EncoderWrapper
from .image_adapter import ChannelLayerNorm
from .model import initialise
from .text_adapter import PAD


@dataclass(frozen=True)
class Head:
    """One fine-tuning task. `task` is the official name where there is one: refcoco, vqa, nlvr2, vggsound, aqa."""

    task: str
    head_type: str  # which branches the model has: vl, al, image, audio
    num_classes: int
    use_image_features: bool = False  # of vl: pool image tokens instead of text tokens
    use_pooler: bool = False
    use_two_images: bool = False
    head_scale_ratio: int = 2

    @property
    def pooled(self):
        """The modality whose tokens are pooled."""
        if self.use_image_features or self.head_type == "image":
            return "image"
        return "audio" if self.head_type == "audio" else "text"


class AttentionPooling(nn.Module):
    """tokens (B, T, D), padding bool (B, T) -> (B, D): one learned query a head, scores unscaled."""

    def __init__(self, dim, heads):
        super().__init__()
        self.q = nn.Parameter(torch.randn(1, 1, heads, dim // heads) * 0.02)
        self.k_proj = nn.Linear(dim, dim, bias=False)
        self.v_proj = nn.Linear(dim, dim)
        self.out_proj = nn.Linear(dim, dim)

    def forward(self, tokens, padding=None):
        split = (*tokens.shape[:2], *self.q.shape[2:])
        k, v = self.k_proj(tokens).view(split), self.v_proj(tokens).view(split)  # (B, T, H, d)
        scores = (self.q * k).sum(-1).float()  # (B, T, H)
        if padding is not None:
            scores = scores.masked_fill(padding.unsqueeze(-1), float("-inf"))
        weights = torch.softmax(scores, dim=1).to(v.dtype)
        return self.out_proj((weights.unsqueeze(-1) * v).sum(1).flatten(1))


class ClassifyHead(nn.Module):
    """Token features of one pass, or of two (NLVR2), without CLS -> logits (B, N)."""

    def __init__(self, config, head):
        super().__init__()
        dim, hidden = config.embed_dim, int(config.embed_dim * head.head_scale_ratio)
        self.norm = nn.LayerNorm(dim)
        self.attn_pooling_func = AttentionPooling(dim, config.attention_heads)
        if head.use_pooler:
            self.pooler = nn.Sequential(nn.Identity(), nn.Linear(dim, dim), nn.Tanh())  # index 0 is a dropout officially
        self.classifier = nn.Sequential(nn.Linear(dim * (2 if head.use_two_images else 1), hidden), nn.LayerNorm(hidden),
                                        nn.GELU(), nn.Linear(hidden, head.num_classes))

    def forward(self, passes, padding=None):
        pooler = self.pooler if hasattr(self, "pooler") else nn.Identity()
        pooled = [pooler(self.norm(self.attn_pooling_func(tokens, padding))) for tokens in passes]
        return self.classifier(torch.cat(pooled, dim=-1))


class SegmentHead(nn.Module):
    """Image tokens (B, g², D) and the stem's maps at strides 8 and 4 -> class logits (B, N, 4g, 4g).

    The stem backwards: each step doubles the side and adds the stem's map of that side, so that edges stay sharp.
    """

    def __init__(self, config, head):
        super().__init__()
        dim, stem = config.embed_dim, config.embed_dim // 4
        self.up = nn.ModuleList([nn.ConvTranspose2d(dim, stem, 2, stride=2), nn.ConvTranspose2d(stem, stem, 2, stride=2)])
        self.norm = nn.ModuleList([nn.LayerNorm(stem), nn.LayerNorm(stem)])
        self.mix = nn.Conv2d(stem, stem, 3, padding=1)
        self.classifier = nn.Conv2d(stem, head.num_classes, 1)

    def forward(self, tokens, stem8, stem4):
        side = int(tokens.shape[1] ** 0.5)
        x = tokens.transpose(1, 2).unflatten(2, (side, side))  # (B, D, g, g)
        for up, norm, skip in zip(self.up, self.norm, (stem8, stem4)):
            x = up(x) + skip  # (B, D/4, 2g, 2g), then 4g
            x = F.gelu(norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2))
        return self.classifier(F.gelu(self.mix(x)))


class FineTuned(nn.Module):
    """encoder_wrapper and one head. `encoder` may be shared by several models that are trained together."""

    def __init__(self, config, head, encoder=None):
        super().__init__()
        self.config, self.head = config, head
        self.encoder_wrapper = encoder or EncoderWrapper(config)
        if head.task == "segment":
            self.segment_head = SegmentHead(config, head)
        else:
            self.classify_head = ClassifyHead(config, head)
        for module in self.children():
            if module is not encoder:
                module.apply(initialise)

    def forward(self, ids=None, images=None, images_2=None, waves=None, audio_padding=None):
        """ids int64 (B, T), images (B, 3, S, S), waves (B, n), audio_padding bool (B, frames + 1) -> logits."""
        if self.head.task == "segment":
            return self.segment(images)
        self.hidden = self.joint(ids, (images,), waves, audio_padding)  # {modality: (B, T, D)}, for losses on tokens
        passes = [self.hidden] + ([self.joint(ids, (images_2, True))] if self.head.use_two_images else [])
        padding = {"text": ids.eq(PAD) if ids is not None else None, "image": None,
                   "audio": audio_padding[:, 1:] if audio_padding is not None else None}[self.head.pooled]
        return self.classify_head([hidden[self.head.pooled][:, 1:] for hidden in passes], padding)

    def joint(self, ids=None, images=(None,), waves=None, audio_padding=None):
        """Hidden states of whatever is given, {modality: (B, T, D)} with CLS at position 0."""
        given = {"text": (ids,), "image": images, "audio": (waves, audio_padding)}
        return self.encoder_wrapper({m: args for m, args in given.items() if args[0] is not None})

    def segment(self, images):
        adapter = self.encoder_wrapper.image_adapter
        stem4 = adapter.embed_images[:3](images)
        stem8 = adapter.embed_images[3:6](stem4)
        self.hidden = self.joint(images=(images,))
        return self.segment_head(self.hidden["image"][:, 1:], stem8, stem4)


def head_config(config, head, patch_image_size):
    """The configuration of a fine-tuned model: a relative table for each layer, the head's branches and picture side."""
    return replace(config, copy_rel_pos_table=True, head_type=head.head_type,
                   add_type_embedding=config.add_type_embedding or head.use_two_images,
                   image_rel_bucket_size=patch_image_size // 16)


def cfg_of(config, head):
    """The official cfg of a fine-tuned checkpoint (§3, §4.4)."""
    cfg = cfg_from_config(config)
    name = "one_peace_segment" if head.task == "segment" else "one_peace_classify"
    cfg["model"] = {**cfg["model"], "_name": name, "head_scale_ratio": head.head_scale_ratio, "use_pooler": head.use_pooler,
                    "attn_pooling": True, "use_image_features": head.use_image_features}
    cfg["task"] = {**cfg["task"], "_name": head.task, "num_classes": head.num_classes, "use_two_images": head.use_two_images}
    return cfg


def head_of(cfg):
    """The Head that a fine-tuned checkpoint's cfg describes."""
    model, task = cfg["model"], cfg["task"]
    return Head(task["_name"], task["head_type"], task["num_classes"], bool(model.get("use_image_features")),
                bool(model.get("use_pooler")), bool(task["use_two_images"]), model["head_scale_ratio"])


def save_fine_tuned(path, config, head, tensors, extra_state=None):
    """Writes tensors (a state dict) in the official layout."""
    tensors = {k: t.detach().cpu().clone() for k, t in tensors.items()}
    torch.save({"args": None, "cfg": cfg_of(config, head), "model": tensors, "criterion": None, "optimizer_history": [],
                "task_state": {}, "extra_state": extra_state or {}}, path)


def load_fine_tuned(path):
    """A fine-tuned checkpoint -> FineTuned in eval mode. Raises ValueError that names missing and mis-shaped tensors."""
    file = torch.load(path, map_location="cpu")
    vocab = file["model"].get("encoder_wrapper.text_adapter.embed_tokens.weight", torch.empty(4, 1)).shape[0]
    model = FineTuned(config_from_cfg(file["cfg"], vocab), head_of(file["cfg"]))
    load_exactly(model, {k: v.float() for k, v in file["model"].items()})
    return model.eval()
