"""Trains our own byte-level BPE and writes training/bpe/ in the official format (§10).

    python -m training.train_bpe

The corpus is what training says: emoji names, keywords, icon names and tags, and templates. No file of GPT-2 is used.
"""
from collections import Counter
import json

from .material.paths import BPE
from .material.sounds import SOUND_EVENTS
from .material.splits import load_splits
from .material.sprites import ICON_STYLES, icon_files
from .material.texts import TEMPLATES, icon_tags, icon_words

VOCABULARY = 6000


def corpus():
    """Every text once per source, names repeated so that they get short codes."""
    for entry in load_splits()["names"]:
        yield from [entry["name"]] * 4
        yield from entry["tags"]
        yield from (t.format(entry["name"]) for t in TEMPLATES[:3])
    for style in ICON_STYLES:
        yield from (icon_words(name) for name, _ in icon_files(style))
        for tags in icon_tags(style).values():
            yield from tags
    for event in SOUND_EVENTS:
        yield from event["texts"]


def main():
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    texts = [" " + text.lower() for text in corpus()]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=VOCABULARY, initial_alphabet=sorted(alphabet), show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    merges = [m if isinstance(m, str) else " ".join(m) for m in model["merges"]]
    counts = Counter(i for encoding in tokenizer.encode_batch(texts) for i in encoding.ids)

    BPE.mkdir(exist_ok=True)
    ids = sorted(model["vocab"].values(), key=lambda i: (-counts[i], i))
    (BPE / "encoder.json").write_text(json.dumps(model["vocab"]) + "\n")
    (BPE / "vocab.bpe").write_text("\n".join(["#version: 0.2", *merges]) + "\n", encoding="utf-8")
    unused = [f"madeupword{i:04d} 0" for i in range(3)]
    (BPE / "dict.txt").write_text("\n".join([f"{i} {counts[i]}" for i in ids] + unused) + "\n")
    print(f"{len(ids)} tokens, {len(merges)} merges from {len(texts)} texts")


if __name__ == "__main__":
    main()
