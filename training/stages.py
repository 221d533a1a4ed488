"""The two stages of pre-training: which model, which material, what is frozen, and which weights the loss terms have (§13).

A stage builds its task (tasks.py), draws its batches, and says when the picture grows or the phase changes. All random choices
of a step follow from seed, process and step, so that a resumed run goes on as an unbroken one would.
"""
from dataclasses import replace
from functools import partial

import numpy as np
import torch

from .losses import WEIGHTS
from .masking import audio_text_masks, image_text_masks
from .material.batches import batches
from .nano import MAX_TEXT_IDS, nano_config, nano_decoder
from .onepeace.checkpoint import load_checkpoint
from .onepeace.model import LOGIT_SCALE_INIT, OnePeace
from .onepeace.pretrain import OnePeacePretrain
from .onepeace.relative_position import fit_rel_pos_table
from .tasks import AudioText, ImageText
from .tokens import embed_texts, token_batch

IMAGE_ONLY = ("image_adapter.", ".image_ffn.", "image_layer_norm.", "image_proj.")
AUDIO_ONLY = ("audio_adapter.", ".audio_ffn.", "audio_layer_norm.", "audio_proj.")
_MASKS = 7  # tells the masks' random numbers from the batch's, which have the same seed


def fill(model, tensors):
    """Copies tensors by name, the image tables fitted to the model's picture side; what the model lacks is left out."""
    side, own = model.config.image_rel_bucket_size, model.state_dict()
    for name, tensor in tensors.items():
        if name in own:
            own[name] = fit_rel_pos_table(tensor, side) if "encoder_wrapper.image_adapter.rel_pos_table" in name else tensor
    model.load_state_dict(own)
    return model


class Stage:
    """What both stages share."""

    def __init__(self, args, material, tokenizer, rank):
        self.args, self.material, self.tokenizer = args, material, tokenizer
        self.seed = [args.seed, rank]
        self.denoising = "denoising" in args.tasks
        self.word_starts = tokenizer.word_starts()
        self.rows = max(1, round(args.batch * args.denoising_share))  # of the batch, for the masked passes

    def empty(self, config):
        """A fresh model; only the denoising task needs the decoder."""
        return OnePeacePretrain(config, nano_decoder(config)) if self.denoising else OnePeace(config)

    def masks_rng(self, step):
        return np.random.default_rng([*self.seed, step, _MASKS])

    def weights(self, progress):
        """{term: weight} at progress 0..1."""
        return WEIGHTS[self.name]


class ImageTextStage(Stage):
    """Text, image and shared weights learn; pictures grow on the way."""

    name, exported = "image-text", "stage1.pt"

    def model(self):
        """A new model, or one with the weights of an earlier run at this run's first picture side."""
        if not self.args.init:
            return self.empty(nano_config(self.tokenizer.vocab_size, self.args.small_side, "vl"))
        earlier = load_checkpoint(self.args.init)
        config = replace(earlier.config, head_type="vl", image_rel_bucket_size=self.args.small_side // 16,
                         drop_path_rate=nano_config(0).drop_path_rate)
        return fill(self.empty(config), earlier.state_dict())

    def task(self, model):
        return ImageText(model, not self.args.fp32)

    def side(self, progress):
        """Picture side in pixels at progress 0..1."""
        return self.args.small_side if progress < self.args.small_share else self.args.final_side

    def stream(self, config, first_step):
        draw = partial(self.material.draw, self.args.batch, config.patch_image_size)
        return batches(draw, self.seed, first_step, self.args.workers)

    def inputs(self, batch, config, step, progress):
        """A drawn batch -> arguments of the task's forward."""
        pictures, texts, concepts = batch
        ids = token_batch(self.tokenizer, texts, MAX_TEXT_IDS)
        masks = None
        if self.denoising:
            masks = image_text_masks(ids[: self.rows], self.word_starts, config.image_rel_bucket_size, self.masks_rng(step))
        return {"pictures": pictures, "ids": ids, "concepts": concepts, "masks": masks}

    def begin(self, task, progress):
        """Nothing is frozen on the way."""


class AudioTextStage(Stage):
    """Only the audio branch learns, all else is frozen (with --no-freeze: all but the image branch learns)."""

    name, exported = "audio-text", "nano.pt"

    def __init__(self, args, material, tokenizer, rank):
        super().__init__(args, material, tokenizer, rank)
        self.text_ids = token_batch(tokenizer, [text for text, _ in material.texts])  # (N, T)

    def is_trained(self, name):
        """Of the tensors that the reference trains (§13), whatever the decoder's are called."""
        if not name.startswith(("encoder_wrapper.", "text_proj.", "image_proj.")):
            return True
        return not any(part in name for part in IMAGE_ONLY) if self.args.no_freeze else any(part in name for part in AUDIO_ONLY)

    def empty(self, config):
        model = super().empty(config)
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(parameter.requires_grad and self.is_trained(name))
        return model

    def model(self):
        """Text, image and shared weights of stage 1 with a new audio branch and temperature.

        The audio feed-forward networks, final norm and CLS token begin as copies of the text ones, as they follow the same
        attention. A checkpoint that has an audio branch already is taken as it is, but with --fresh-audio.
        """
        if not self.args.init:
            raise SystemExit("audio-text needs --init, a checkpoint of image-text, or --resume")
        stage1 = load_checkpoint(self.args.init)
        tensors = stage1.state_dict()
        model = self.empty(replace(stage1.config, head_type="val", drop_path_rate=self.args.drop_path))
        if "audio" in stage1.config.branches and not self.args.fresh_audio:
            return fill(model, tensors)
        copied = {k: tensors[k.replace("audio", "text")] for k in model.state_dict()
                  if k.startswith(("encoder_wrapper.fusion_model", "audio_proj")) and "audio" in k}
        kept = {k: v for k, v in tensors.items() if "audio" not in k}
        fill(model, {**kept, **copied})
        text, audio = model.encoder_wrapper.text_adapter, model.encoder_wrapper.audio_adapter
        with torch.no_grad():
            audio.cls_embedding.copy_(text.cls_embedding)
            audio.cls_pos_embed.copy_(text.embed_positions.weight[:1])
            audio.rel_pos_table_list[0].weight[-3:] = text.rel_pos_table_list[0].weight[-3:]  # rows of CLS (§5.1)
            model.logit_scale.fill_(LOGIT_SCALE_INIT)
        return model

    def task(self, model):
        texts, concepts = zip(*self.material.texts)
        bank = None if self.args.no_freeze else embed_texts(model, self.tokenizer, texts)
        return AudioText(model, not self.args.fp32, torch.tensor(concepts), bank)

    def side(self, progress):
        """The picture side of stage 1 stays."""

    def stream(self, config, first_step):
        return batches(partial(self.material.draw, self.args.batch), self.seed, first_step, self.args.workers)

    def phase(self, progress):
        """The warm start of the front end (mel.py), then the two tasks."""
        return "mel" if progress < self.args.mel_share else "contrastive"

    def inputs(self, batch, config, step, progress):
        waves, rows = batch
        ids, phase, masks = self.text_ids[rows], self.phase(progress), None
        if self.denoising and phase != "mel":
            frames = [config.frames(waves.shape[1])] * min(self.rows, len(waves))
            masks = audio_text_masks(ids[: self.rows], frames, self.word_starts, self.masks_rng(step))
        return {"waves": waves, "ids": ids, "rows": rows, "masks": masks, "phase": phase}

    def begin(self, task, progress):
        """With --freeze-convs the convolutions stay as the warm start left them: their backward pass is a third of the work."""
        if self.args.freeze_convs and self.phase(progress) != "mel":
            task.model.encoder_wrapper.audio_adapter.embed_audios[0].requires_grad_(False)

    def weights(self, progress):
        """The pooled tokens' share of the contrastive loss fades out over the first third (tasks.AudioText)."""
        pooled = self.args.pooled_share * max(0.0, 1 - 3 * progress)
        return {**WEIGHTS[self.name], "mel": 1.0, "atc": 1 - pooled, "pooled": pooled}


STAGES = {stage.name: stage for stage in (ImageTextStage, AudioTextStage)}
