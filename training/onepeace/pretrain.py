"""The pre-training model (§4.2, §13): the retrieval model and a decoder for the masked tokens."""
import torch
from torch import nn

from .decoder import DecoderWrapper
from .model import OnePeace, initialise
from .preserve import scatter_tokens


class OnePeacePretrain(OnePeace):
    """Inputs {modality: adapter arguments} -> everything that the losses of §13 compare."""

    def __init__(self, config, decoder):
        super().__init__(config)
        self.decoder_wrapper = DecoderWrapper(decoder)
        for modality in config.branches:
            self.add_module(f"decoder_{modality}_embed", nn.Linear(config.embed_dim, decoder.embed_dim))
            self.add_module(f"{modality}_mask_head", nn.Linear(decoder.embed_dim, config.embed_dim))
            self.register_parameter(f"{modality}_mask_token", nn.Parameter(torch.randn(1, decoder.embed_dim) * 0.02))
        self.apply(initialise)

    @torch.no_grad()
    def teach(self, inputs):
        """The unmasked joint pass: {modality: (B, T, D)}, without gradient."""
        return self.encoder_wrapper(inputs)

    def denoise(self, inputs, masks):
        """Student features of full length, {modality: (B, T, D)}. `inputs` as for the encoder, `masks` {modality: Mask}."""
        parts = {}
        for m, features in self.encoder_wrapper(inputs, {m: masks[m].preserve for m in inputs}).items():
            known = getattr(self, f"decoder_{m}_embed")(features)  # (B, P, Dd)
            tokens = getattr(self, f"{m}_mask_token").to(known.dtype).expand(*masks[m].masked.shape, -1)  # (B, T, Dd)
            parts[m] = scatter_tokens(tokens, known, masks[m].preserve)
        decoded = self.decoder_wrapper(parts, {m: masks[m].padding() for m in parts})
        return {m: getattr(self, f"{m}_mask_head")(x) for m, x in decoded.items()}
