"""What one step of pre-training computes: tensors of a batch -> the terms of the loss, and what to watch (§13).

Each stage is one module, so that all parameters are used inside its forward: DistributedDataParallel and FSDP need that.
Encoders run under autocast, losses in fp32 but for the many products of denoising.
"""
import torch
from torch import nn
import torch.nn.functional as F

from .losses import contrastive_loss, denoising_terms
from .machine import gather
from .mel import BINS, warm_start_loss


class Task(nn.Module):
    """What both stages share. `bf16` switches autocast on."""

    def __init__(self, model, bf16):
        super().__init__()
        self.model, self.bf16 = model, bf16

    def autocast(self, device):
        return torch.autocast(device.type, dtype=torch.bfloat16, enabled=self.bf16)

    def denoising(self, inputs, features, masks):
        """The denoising terms of the first rows, as many as `masks` has. inputs and features {modality: (B, …)}."""
        rows = len(next(iter(masks["text" if "text" in masks else "audio"].values())).masked)
        inputs = {m: (x[:rows],) for m, x in inputs.items()}
        device = next(iter(inputs.values()))[0].device
        with self.autocast(device):
            joint = self.model.teach(inputs)
        with self.autocast(device):  # anew: autocast would reuse the weights that it cast without gradient for the teacher
            students = {task: self.model.denoise({m: inputs[m] for m in of}, of) for task, of in masks.items()}
            return denoising_terms(students, {m: x[:rows] for m, x in features.items()}, joint, masks)


class ImageText(Task):
    """Stage 1. forward -> ({term: loss}, {name: what the log shows beside})."""

    def forward(self, pictures, ids, concepts, masks=None):
        """pictures (B, 3, S, S), ids int64 (B, T), concepts int64 (B,); masks of masking.image_text_masks or None."""
        with self.autocast(pictures.device):
            images, image_features = self.model.encode("image", pictures)
            texts, text_features = self.model.encode("text", ids)
        terms = {"itc": contrastive_loss(images, texts, concepts, self.model.temperature(),
                                         everyone=gather(images, texts, concepts))}
        if masks:
            features = {"text": text_features, "image": image_features}
            terms.update(self.denoising({"text": ids, "image": pictures}, features, masks))
        right = (images.detach() @ texts.detach().t()).argmax(1).eq(torch.arange(len(images), device=images.device))
        return terms, {"i2t_batch_accuracy": right.float().mean(), "temperature": self.model.temperature()}


class AudioText(Task):
    """Stage 2. forward -> ({term: loss}, {name: what the log shows beside}).

    `bank` (N, D) holds the embeddings of all training texts where the text tower is frozen; else texts are encoded. Beside the
    model there are two heads that are dropped after training: `mel` for the warm start (mel.py), and `pooled`, which reads the
    mean of the audio adapter's tokens: at first a share of the loss goes there, so that the adapter learns words directly and
    not only through the frozen attention, which does not know yet what to do with sound.
    """

    def __init__(self, model, bf16, text_concepts, bank=None):
        super().__init__(model, bf16)
        dim = model.config.embed_dim
        self.mel, self.pooled = nn.Linear(dim, BINS), nn.Linear(dim, dim)
        self.register_buffer("text_concepts", text_concepts)
        self.register_buffer("bank", bank)
        self.tokens = None  # (B, T, D), the adapter's latest output
        model.encoder_wrapper.audio_adapter.register_forward_hook(lambda _m, _i, out: setattr(self, "tokens", out[0]))

    def forward(self, waves, ids, rows, masks=None, phase="contrastive"):
        """waves (B, n); ids int64 (B, T) and rows int64 (B,), the texts and their numbers; masks of audio_text_masks."""
        adapter = self.model.encoder_wrapper.audio_adapter
        with self.autocast(waves.device):
            if phase == "mel":
                return {"mel": warm_start_loss(adapter, self.mel, waves)}, {}
            frames = adapter.embed_audios(waves)  # once for all passes
            sounds, features = self.model.encode("audio", frames)
            pooled = F.normalize(self.pooled(self.tokens[:, 1:].mean(1)).float(), dim=-1)
            texts = self.bank[rows] if self.bank is not None else self.model.encode("text", ids)[0]
        terms = {"atc": self.contrast(sounds, texts, rows), "pooled": self.contrast(pooled, texts, rows)}
        if masks:
            terms.update(self.denoising({"text": ids, "audio": frames}, {"audio": features}, masks))
        return terms, {"a2t_accuracy": self.accuracy(sounds, texts, rows), "pooled_accuracy": self.accuracy(pooled, texts, rows),
                       "temperature": self.model.temperature()}

    def contrast(self, sounds, texts, rows):
        concepts = self.text_concepts[rows]
        return contrastive_loss(sounds, texts, concepts, self.model.temperature(), self.bank, self.text_concepts,
                                gather(sounds, texts, concepts))

    @torch.no_grad()
    def accuracy(self, sounds, texts, rows):
        """Share of sounds whose nearest text, of the bank or else of the batch, is of their concept."""
        candidates, concepts = (texts, self.text_concepts[rows]) if self.bank is None else (self.bank, self.text_concepts)
        return concepts[(sounds @ candidates.t()).argmax(1)].eq(self.text_concepts[rows]).float().mean()
