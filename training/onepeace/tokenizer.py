"""Byte-level BPE and the dictionary rule of the reference (§10): encoder.json, vocab.bpe, dict.txt -> token ids."""
from functools import lru_cache
import json
from pathlib import Path

import regex

PAD, EOS, UNK = 1, 2, 3
MAX_IDS = 70
_PIECES = regex.compile(r"""'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+""")


def byte_symbols():
    """The 256 printable stand-ins for bytes: {byte: character}."""
    printable = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    rest = [b for b in range(256) if b not in printable]
    return {**{b: chr(b) for b in printable}, **{b: chr(256 + i) for i, b in enumerate(rest)}}


class Tokenizer:
    """text -> ids that the text adapter takes: dictionary indices, closed by </s>."""

    def __init__(self, folder):
        folder = Path(folder)
        self.encoder = json.loads((folder / "encoder.json").read_text(encoding="utf-8"))
        lines = (folder / "vocab.bpe").read_text(encoding="utf-8").split("\n")[1:]  # the first line is a version
        self.ranks = {tuple(line.split()): i for i, line in enumerate(l for l in lines if l)}
        words = [l.rsplit(" ", 1)[0] for l in (folder / "dict.txt").read_text(encoding="utf-8").splitlines()]
        self.dictionary = {word: index + 4 for index, word in enumerate(words)}
        self.vocab_size = len(words) + 4
        self.bytes = byte_symbols()
        self.merge = lru_cache(maxsize=65536)(self._merge)

    def _merge(self, piece):
        """One pre-token -> list of BPE symbols, merging the best-ranked pair first."""
        parts = list(piece)
        while len(parts) > 1:
            pairs = {(a, b) for a, b in zip(parts, parts[1:])}
            best = min(pairs, key=lambda p: self.ranks.get(p, 1 << 30))
            if best not in self.ranks:
                break
            merged, i = [], 0
            while i < len(parts):
                if tuple(parts[i : i + 2]) == best:
                    merged.append(parts[i] + parts[i + 1])
                    i += 2
                else:
                    merged.append(parts[i])
                    i += 1
            parts = merged
        return parts

    def bpe_ids(self, text):
        """Ids of encoder.json, without any cleaning."""
        pieces = _PIECES.findall(text)
        symbols = ["".join(self.bytes[b] for b in piece.encode("utf-8")) for piece in pieces]
        return [self.encoder[part] for symbol in symbols for part in self.merge(symbol)]

    def word_starts(self):
        """bool list by dictionary index: special tokens, words outside the BPE, and tokens that begin with a space (§10)."""
        symbols = {str(i): symbol for symbol, i in self.encoder.items()}
        space = self.bytes[ord(" ")]
        return [True] * 4 + [symbols.get(word, space).startswith(space) for word in self.dictionary]

    def __call__(self, text, max_ids=MAX_IDS):
        """Hub rule: lower case, one leading space, at most `max_ids` ids, </s>."""
        ids = self.bpe_ids(" " + text.lower())[:max_ids]
        return [self.dictionary.get(str(i), UNK) for i in ids] + [EOS]
