"""Draws the training artwork once and keeps it as uint8 arrays: (N, 96, 96, C), C = 4 (RGBA) or 1 (alpha of an icon).

    python -m training.material.sprites

Styles: noto (bitmaps of the Noto Color Emoji font), openmoji (colour), openmoji-line (black), further emoji artwork packaged by
Iconify (coloured, or line drawings), and icon packs. The held-out style, Twemoji, is not drawn here: only the evaluation may.
"""
import io
import json
import re
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from .paths import material_dir, package_dir

SIDE = 96
NOTO_FONT = "/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf"  # Debian package fonts-noto-color-emoji
NOTO_BITMAP_SIZE = 109  # the only size of its CBDT table
ICONIFY_STYLES = ("noto-v1", "emojione", "emojione-v1", "fxemoji", "fluent-emoji", "fluent-emoji-flat",
                  "emojione-monotone", "fluent-emoji-high-contrast")  # packages @iconify-json/*, artwork under emoji names
LINE_STYLES = ("openmoji-line", "emojione-monotone", "fluent-emoji-high-contrast")
EMOJI_STYLES = ("noto", "openmoji", "openmoji-line") + ICONIFY_STYLES
COLOUR_STYLES = tuple(s for s in EMOJI_STYLES if s not in LINE_STYLES)
PHOSPHOR_WEIGHTS = ("regular", "fill", "bold", "duotone")
ICON_STYLES = ("mdi", "lucide", "bootstrap", "streamline-emojis") + tuple(f"phosphor-{w}" for w in PHOSPHOR_WEIGHTS)


def square(image, side=SIDE):
    """Any RGBA picture centred on a transparent square of `side` pixels, filling it: uint8 (side, side, 4)."""
    from PIL import Image  # Pillow and resvg are only needed to draw, not to train

    box = image.getbbox()
    image = image.crop(box) if box else image
    scale = side / max(image.size)
    size = [max(1, round(n * scale)) for n in image.size]
    canvas = Image.new("RGBA", (side, side))
    canvas.paste(image.resize(size, Image.BICUBIC), [(side - n) // 2 for n in size])
    return np.asarray(canvas)


def draw_svg(path, side=SIDE):
    """One SVG file as uint8 (side, side, 4)."""
    return _rasterise(side, svg_path=str(path))


def _rasterise(side, **svg):
    from PIL import Image
    import resvg_py

    png = bytes(resvg_py.svg_to_bytes(width=side, skip_system_fonts=True, **svg))
    return square(Image.open(io.BytesIO(png)).convert("RGBA"), side)


def iconify_svgs(style):
    """{name: SVG text} of an Iconify package; aliases that only rename are followed."""
    pack = json.loads((package_dir(f"@iconify-json/{style}") / "icons.json").read_text())
    icons = pack["icons"]
    renamed = {a: icons[t["parent"]] for a, t in pack.get("aliases", {}).items() if set(t) == {"parent"} and t["parent"] in icons}
    side = lambda icon, key: icon.get(key, pack.get(key, 16))
    frame = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="{} {} {} {}">{}</svg>'
    return {name: frame.format(icon.get("left", 0), icon.get("top", 0), side(icon, "width"), side(icon, "height"), icon["body"])
            for name, icon in {**renamed, **icons}.items()}


def slug(name):
    """Letters and digits only: packages write "man’s shoe" as mans-shoe or mansshoe."""
    return re.sub("[^a-z0-9]", "", name.lower().replace("&", "and"))


def iconify_emoji(style, names):
    """[(hexcode, SVG text)] of the emoji that a package has under their CLDR name; names: {hexcode: name}."""
    by_slug = {slug(re.sub("^flag-for-(flag-)?", "flag-", name)): svg for name, svg in iconify_svgs(style).items()}
    return [(h, by_slug[slug(name)]) for h, name in names.items() if slug(name) in by_slug]


def draw_noto(hexcode, side=SIDE):
    """One emoji of the Noto font, or None where the font has no single glyph for it."""
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.truetype(NOTO_FONT, NOTO_BITMAP_SIZE)
    text = "".join(chr(int(part, 16)) for part in hexcode.split("-"))
    if font.getlength(text) > 160:  # an unknown sequence falls apart into several glyphs
        return None
    canvas = Image.new("RGBA", (180, 180))
    ImageDraw.Draw(canvas).text((20, 20), text, font=font, embedded_color=True)
    return square(canvas, side) if canvas.getbbox() else None


def openmoji_file(hexcode, kind):
    """OpenMoji's file of an emoji (names keep U+FE0F inconsistently), or None."""
    folder = package_dir("openmoji") / kind / "svg"
    for name in (hexcode, hexcode.replace("-FE0F", "")):
        if (folder / f"{name}.svg").exists():
            return folder / f"{name}.svg"
    return None


def icon_files(style):
    """(name words, path) of every icon of a pack; weights are cut from the name."""
    if style.startswith("phosphor-"):
        weight = style.split("-")[1]
        folder, cut = package_dir("@phosphor-icons/core") / "assets" / weight, "" if weight == "regular" else f"-{weight}"
    else:
        packages = {"mdi": "@mdi/svg/svg", "lucide": "lucide-static/icons", "bootstrap": "bootstrap-icons/icons"}
        folder, cut = package_dir(packages[style]), ""
    return [(path.stem[: len(path.stem) - len(cut)], path) for path in sorted(Path(folder).glob("*.svg"))]


def draw_style(style, names):
    """(keys, array) of a whole style: keys are hexcodes of emoji or name-with-dashes of icons. names: {hexcode: CLDR name}."""
    if style in ICONIFY_STYLES:
        drawn = [(h, _rasterise(SIDE, svg_string=svg)) for h, svg in iconify_emoji(style, names)]
    elif style == "streamline-emojis":
        drawn = [(name, _rasterise(SIDE, svg_string=svg)) for name, svg in iconify_svgs(style).items()]
    elif style == "noto":
        drawn = [(h, draw_noto(h)) for h in names]
    elif style in EMOJI_STYLES:
        files = [(h, openmoji_file(h, "color" if style == "openmoji" else "black")) for h in names]
        drawn = [(h, draw_svg(path)) for h, path in files if path]
    else:
        drawn = [(name, draw_svg(path)[..., 3:]) for name, path in icon_files(style)]
    drawn = [(key, array) for key, array in drawn if array is not None and array[..., -1].any()]
    return [key for key, _ in drawn], np.stack([array for _, array in drawn])


def save_style(style, names):
    folder = material_dir() / "sprites"
    folder.mkdir(parents=True, exist_ok=True)
    keys, array = draw_style(style, names)
    np.save(folder / f"{style}.npy", array)
    (folder / f"{style}.json").write_text(json.dumps(keys))
    return f"{style}: {array.shape}"


def load_style(style):
    """(keys, uint8 (N, 96, 96, C) memory map) of a drawn training style."""
    assert style in EMOJI_STYLES + ICON_STYLES, f"{style} is not a training style"
    folder = material_dir() / "sprites"
    return json.loads((folder / f"{style}.json").read_text()), np.load(folder / f"{style}.npy", mmap_mode="r")


def main():
    entries = json.loads((package_dir("emojibase-data") / "en" / "data.json").read_text())
    names = {e["hexcode"]: e["label"] for e in entries if e.get("group") not in (None, 2)}
    with ProcessPoolExecutor(2) as pool:
        for line in pool.map(save_style, EMOJI_STYLES + ICON_STYLES, [names] * 40):
            print(line, flush=True)


if __name__ == "__main__":
    main()
