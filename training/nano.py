"""The size of onepeace-nano and what each stage may change. Sizes keep the fp16 bundle under 20 MB."""
from .onepeace.config import Config
from .onepeace.decoder import decoder_config

FINAL_SIDE_PX = 96
MAX_TEXT_IDS = 11  # of a training text, before </s>: 99 % of the names are shorter


def nano_config(vocab_size, side_px=FINAL_SIDE_PX, head_type="val"):
    """The architecture; `side_px` is smaller in the first, cheap stretch of training (§6.1, §6.4)."""
    return Config(
        embed_dim=192, ffn_embed_dim=512, layers=6, attention_heads=6, vocab_size=vocab_size,
        text_bucket_size=32, image_bucket_size=6, image_rel_bucket_size=side_px // 16, audio_bucket_size=64,
        feature_encoder_spec="[(96, 10, 5)] + [(96, 3, 2)] * 4 + [(96, 2, 2)] + [(96, 2, 2)]",
        layer_scale_init_value=0.5, drop_path_rate=0.1, head_type=head_type,
    )


def smoke_config(vocab_size, side_px=32, head_type="val"):
    """A size for tests: seconds on one core."""
    return Config(
        embed_dim=32, ffn_embed_dim=48, layers=2, attention_heads=2, vocab_size=vocab_size,
        text_bucket_size=16, image_bucket_size=2, image_rel_bucket_size=side_px // 16, audio_bucket_size=16,
        feature_encoder_spec="[(16, 10, 5)] + [(16, 3, 2)] * 4 + [(16, 2, 2)] + [(16, 2, 2)]",
        conv_pos_groups=4, layer_scale_init_value=0.5, head_type=head_type,
    )


def nano_decoder(config):
    """The pre-training decoder: half as wide as the encoder, two layers (§2)."""
    return decoder_config(config, config.embed_dim // 2, config.ffn_embed_dim // 2, 2, config.attention_heads // 2)
