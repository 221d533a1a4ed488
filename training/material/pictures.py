"""Image-text pairs: sprites of the training styles with their words, drawn in seeded batches. Twemoji never enters here."""
from functools import partial
import re

import numpy as np
import torch

from .augment import compose
from .batches import batches as draw_batches
from .sprites import EMOJI_STYLES, ICON_STYLES, SIDE, load_style
from .splits import HELD_OUT_STYLE, load_splits
from .texts import describe, icon_tags, icon_words

STYLE_SHARES = {
    "noto": 0.13, "noto-v1": 0.11, "openmoji": 0.11, "emojione": 0.13, "emojione-v1": 0.07, "fxemoji": 0.05, "fluent-emoji": 0.08,
    "fluent-emoji-flat": 0.11, "openmoji-line": 0.03, "emojione-monotone": 0.02, "fluent-emoji-high-contrast": 0.02,
    "icons": 0.14,
}
_DIRECTED = re.compile(r"left|right|flag|arrow|clock|button|keycap|quarter|letter|number|sign", re.I)  # mirroring changes these


class Pictures:
    """All training sprites. Names are lower case; the same name in two styles is the same concept."""

    def __init__(self, styles=EMOJI_STYLES + ICON_STYLES):
        assert HELD_OUT_STYLE not in styles, "the held-out style must not be trained on"
        by_hexcode = {e["hexcode"]: e for e in load_splits()["names"]}
        self.names = [e["name"].lower() for e in by_hexcode.values()]  # the emoji names come first
        self.concepts = {name: i for i, name in enumerate(self.names)}
        self.pools = {}  # pool -> [(array, row, concept, tags)]
        for style in styles:
            keys, array = load_style(style)
            tags = icon_tags(style)
            pool = self.pools.setdefault(style if style in EMOJI_STYLES else "icons", [])
            for row, key in enumerate(keys):
                if style in EMOJI_STYLES and key in by_hexcode:
                    pool.append((array, row, self.concept(by_hexcode[key]["name"]), by_hexcode[key]["tags"]))
                elif style in ICON_STYLES:
                    pool.append((array, row, self.concept(icon_words(key)), tags.get(key, [])))
        self.share = np.array([STYLE_SHARES[p] for p in self.pools])
        self.share /= self.share.sum()
        self.may_flip = torch.tensor([not _DIRECTED.search(n) for n in self.names])

    def concept(self, name):
        name = name.lower()
        if name not in self.concepts:
            self.concepts[name] = len(self.names)
            self.names.append(name)
        return self.concepts[name]

    def keep(self, concepts):
        """Draws only these from now on."""
        pools = {name: [entry for entry in pool if entry[2] in concepts] for name, pool in self.pools.items()}
        self.share = np.array([share for share, pool in zip(self.share, pools.values()) if pool])
        self.share /= self.share.sum()
        self.pools = {name: pool for name, pool in pools.items() if pool}

    def draw(self, batch, side, rng):
        """One batch: pictures (B, 3, side, side), texts [str], concepts int64 (B,)."""
        sprites = np.zeros((batch, 4, SIDE, SIDE), dtype=np.uint8)
        concepts, texts = [], []
        pools = list(self.pools.values())
        for i, pool in enumerate(rng.choice(len(pools), size=batch, p=self.share)):
            array, row, concept, tags = pools[pool][rng.integers(len(pools[pool]))]
            pixels = array[row]
            if pixels.shape[-1] == 1:  # an icon is a stencil: black for half, else any colour
                sprites[i, :3] = 0 if rng.random() < 0.5 else rng.integers(0, 230, size=(3, 1, 1))
                sprites[i, 3] = pixels[..., 0]
            else:
                sprites[i] = pixels.transpose(2, 0, 1)
            concepts.append(concept)
            texts.append(describe(self.names[concept], tags, rng))
        generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
        concepts = torch.tensor(concepts)
        pictures = compose(torch.from_numpy(sprites), side, self.may_flip[concepts], generator)
        return pictures, texts, concepts


def batches(pictures, batch, side, seed, first_step, workers):
    """Endless iterator of batches from `first_step` on, drawn ahead in `workers` processes."""
    return draw_batches(partial(pictures.draw, batch, side), seed, first_step, workers)
