"""Our BPE: the reference's ids from the reference's files, and the committed small vocabulary."""
import json

import numpy as np
import pytest

from training.material.paths import BPE
from training.material.splits import load_splits
from training.onepeace.tokenizer import EOS, UNK, Tokenizer
from training.tests.test_parity import REFERENCE, SET_A, case


@pytest.mark.skipif(not SET_A.is_dir(), reason="reference outputs absent: set ONEPEACE_REFERENCE")
def test_reference_ids():
    tokenizer = Tokenizer(SET_A / "bpe")
    for entry in json.loads((REFERENCE / "units/tokenizer.json").read_text())["strings"]:
        assert tokenizer.bpe_ids(" " + entry["text"].lower()) == entry["gpt2_ids_of_space_plus_lower"], entry["text"]


@pytest.mark.skipif(not SET_A.is_dir(), reason="reference outputs absent: set ONEPEACE_REFERENCE")
def test_reference_dictionary():
    tokenizer = Tokenizer(SET_A / "bpe")
    found, _, inputs, _ = case("text_batch")
    rows = [tokenizer(t) for t in found["texts"]]
    width = max(map(len, rows))
    np.testing.assert_array_equal([r + [1] * (width - len(r)) for r in rows], inputs["src_tokens"])


def test_own_vocabulary():
    tokenizer = Tokenizer(BPE)
    assert tokenizer.vocab_size == 6007
    assert tokenizer("") != [] and tokenizer("Dog") == tokenizer("dog")
    for entry in load_splits()["names"]:
        ids = tokenizer(entry["name"])
        assert UNK not in ids and ids[-1] == EOS and len(ids) <= 20
    assert UNK not in tokenizer("日本 żółw 🦊\t")  # all bytes are in the vocabulary


def test_long_text_is_cut():
    assert len(Tokenizer(BPE)("dog " * 500)) == 71
