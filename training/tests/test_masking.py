"""Masks of the denoising task: exact counts, whole words, never CLS or </s>, the same from the same seed."""
import numpy as np
import pytest
import torch

from training.masking import audio_text_masks, image_text_masks
from training.material.paths import BPE
from training.onepeace.tokenizer import EOS, PAD, Tokenizer
from training.tests.test_parity import REFERENCE, SET_A, case

TEXTS = ["red", "a man and a woman in front of a white house", "smiling face with sunglasses", "zebra, zebra and zebra"] * 4


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer(BPE)


@pytest.fixture(scope="module")
def ids(tokenizer):
    rows = [torch.tensor(tokenizer(t)) for t in TEXTS]
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=PAD)


def all_masks(ids, starts, seed=0):
    draw = lambda: np.random.default_rng(seed)
    return {**image_text_masks(ids, starts, 6, draw()), **audio_text_masks(ids, [49, 74, 117, 299] * 4, starts, draw())}


def test_every_token_is_masked_preserved_or_padding(tokenizer, ids):
    for task, of in all_masks(ids, tokenizer.word_starts()).items():
        for modality, mask in of.items():
            kept = torch.zeros_like(mask.masked).scatter(1, mask.preserve.clamp(min=0), True)
            kept[:, 0] |= mask.preserve[:, 0].eq(0)
            assert not (kept & mask.masked).any() and mask.preserve[:, 0].eq(0).all()
            padding = {"text": torch.cat([torch.zeros(len(ids), 1).bool(), ids.eq(PAD)], 1), "image": torch.zeros(16, 37).bool(),
                       "audio": torch.arange(300)[None] > torch.tensor([49, 74, 117, 299] * 4)[:, None]}[modality]
            assert torch.equal(mask.padding(), padding), (task, modality)
            assert torch.equal(~(kept | mask.masked), padding)


def test_counts_are_those_of_the_paper(tokenizer, ids):
    masks = all_masks(ids, tokenizer.word_starts())
    count = lambda task, modality: masks[task][modality].masked.sum(1).tolist()
    assert count("image", "image") == [27] * 16 and count("vl", "image") == [24] * 16  # of 36
    assert count("audio", "audio") == [26, 40, 64, 164] * 4 and count("al", "audio") == [22, 33, 52, 134] * 4


def test_the_joint_picture_mask_covers_what_the_other_left_free(tokenizer, ids):
    masks = all_masks(ids, tokenizer.word_starts())
    assert (masks["image"]["image"].masked | masks["vl"]["image"].masked)[:, 1:].all()
    assert not (masks["text"]["text"].masked & masks["vl"]["text"].masked).any()


def test_words_are_masked_whole_and_the_end_never(tokenizer, ids):
    starts = tokenizer.word_starts()
    for seed in range(5):
        for of in all_masks(ids, starts, seed).values():
            if "text" in of:
                assert not of["text"].masked[:, 1:][ids.eq(EOS) | ids.eq(PAD)].any()
        masked = all_masks(ids, starts, seed)["al"]["text"].masked[:, 1:]
        for row, tokens in enumerate(ids.tolist()):
            for i in range(1, len(tokens)):
                if tokens[i] not in (EOS, PAD) and not starts[tokens[i]]:  # a word goes on: as its beginning
                    assert masked[row, i] == masked[row, i - 1], TEXTS[row]
        assert (masked.sum(1) > 0).all()


def test_masks_follow_the_seed(tokenizer, ids):
    flat = lambda seed: torch.cat([m.masked.flatten() for of in all_masks(ids, tokenizer.word_starts(), seed).values()
                                   for m in of.values()])
    assert torch.equal(flat(1), flat(1)) and not torch.equal(flat(1), flat(2))


def test_sound_is_masked_in_blocks(tokenizer, ids):
    masked = all_masks(ids, tokenizer.word_starts())["audio"]["audio"].masked[3::4, 1:].int()  # 299 frames
    borders = masked.diff(dim=1).abs().sum(1).float().mean()
    assert borders < 110  # independent places would give 2 * 299 * 0.55 * 0.45 = 148


@pytest.mark.skipif(not SET_A.is_dir(), reason="reference outputs absent: set ONEPEACE_REFERENCE")
def test_counts_are_those_of_the_official_samples():
    _, _, given, _ = case("loss_image_text")
    starts = Tokenizer(SET_A / "bpe").word_starts()
    masks = image_text_masks(given["src_tokens"], starts, 4, np.random.default_rng(0))
    for task, modality, name in (("text", "text", "text"), ("image", "image", "image"), ("vl", "image", "vl_image")):
        np.testing.assert_array_equal(masks[task][modality].masked.sum(1), given[f"{name}_mask_indices"].sum(1))


@pytest.mark.skipif(not SET_A.is_dir(), reason="reference outputs absent: set ONEPEACE_REFERENCE")
def test_word_starts_are_the_official_ones():
    """Golden: the full dictionary; set A's is its beginning."""
    wanted = np.load(REFERENCE / "units/arrays/whole_word_start_mask.npy").astype(bool)
    starts = np.array(Tokenizer(SET_A / "bpe").word_starts())
    np.testing.assert_array_equal(starts, wanted[: len(starts)])
