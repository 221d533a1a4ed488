"""Pictures of one to six objects in one drawing style, with names, colours, sizes, boxes and masks.

    sprites of a style ─► recolour ─► turn, scale, place with little overlap ─► background ─► Scene

Training scenes never hold a held-out pair of colour and object; held-out scenes hold them wherever a colour is drawn.
"""
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F

from .augment import LUMA, MEAN, STD, drawn_backgrounds, painted
from .objects import CLASSES, COLOURS, colour_is_held_out
from .splits import HELD_OUT_STYLE, load_splits
from .sprites import COLOUR_STYLES, LINE_STYLES, load_style

SIZES = {"small": (0.16, 0.23), "big": (0.36, 0.46)}  # longer side, as a part of the picture's
MOST_OBJECTS = 6
COUNT_SHARES = (0.12, 0.20, 0.22, 0.20, 0.15, 0.11)
LINE_SHARE = 0.08  # of the scenes are line drawings
MOST_BIG = (0, 1, 2, 3, 3, 2, 2)  # by the number of objects: more would find no place
MOST_COVERED = 0.1  # boxes may share this part of the smaller mask
VISIBLE = 0.3  # alpha from which a pixel belongs to an object: thin lines of small drawings stay whole
# Grey, black, white, teal and sand, straight RGB.
TONES = ((0.5, 0.5, 0.5), (0.2, 0.22, 0.25), (0.82, 0.82, 0.8), (0.1, 0.62, 0.65), (0.72, 0.68, 0.5))
LEAST_CONTRAST = 0.12  # mean distance of an object from the background behind it


@dataclass
class Thing:
    """One object. box: x0, y0, x1, y1 in 0..1, tight around what is visible; mask: bool (S, S), visible pixels."""

    name: str
    colour: "str | None"  # None: as the artist coloured it
    size: str
    box: tuple
    mask: np.ndarray
    toned: bool = False  # in a tone that no colour here has a name for

    @property
    def centre(self):
        return (self.box[0] + self.box[2]) / 2, (self.box[1] + self.box[3]) / 2


@dataclass
class Scene:
    """picture: uint8 (S, S, 3); labels: uint8 (S, S), 0 for the background, else 1 + class."""

    picture: np.ndarray
    things: list
    labels: np.ndarray
    style: str

    def coarse_labels(self, stride=4):
        """uint8 (S / stride, S / stride): the label in the middle of each cell."""
        return self.labels[stride // 2 :: stride, stride // 2 :: stride]


def training_sprites():
    """{style: {object: uint8 (4, 96, 96)}} of the training styles; held-out artwork is never among them."""
    found = {}
    for style in COLOUR_STYLES + LINE_STYLES:
        keys, array = load_style(style)
        rows = {key: row for row, key in enumerate(keys)}
        found[style] = {o["name"]: array[rows[o["hexcode"]]].transpose(2, 0, 1)
                        for o in load_splits()["objects"] if o["hexcode"] in rows}
    return found


def recolour(rgb, alpha, colour):
    """Artwork in one colour, light and shade from its luminance: rgb (3, H, W), alpha (1, H, W), colour (3,) in 0..1."""
    light = (rgb * LUMA[0]).sum(0, keepdim=True)
    shade = (light - (light * alpha).sum() / alpha.sum()).clamp(-0.5, 0.5)
    colour = torch.as_tensor(colour, dtype=torch.float32).view(3, 1, 1)
    return torch.where(shade < 0, colour * (1 + 1.2 * shade), colour + (1 - colour) * 1.1 * shade)


def shrink(rgba, pixels, angle, flip):
    """Premultiplied (4, 96, 96) turned by `angle` and scaled to about `pixels`, cropped to what is visible: (4, h, w)."""
    cos, sin = float(np.cos(angle)), float(np.sin(angle))
    room = abs(cos) + abs(sin)
    pool = max(1, int(rgba.shape[-1] // pixels))  # an area mean first, against aliasing
    small = F.avg_pool2d(rgba[None], pool)
    theta = torch.tensor([[[cos * flip, -sin * flip, 0], [sin, cos, 0]]]) * room
    side = int(np.ceil(pixels * room))
    turned = F.grid_sample(small, F.affine_grid(theta, (1, 4, side, side), align_corners=False), align_corners=False)[0]
    turned = turned / turned[3].max()  # lines thinner than a pixel fade; the strongest stays opaque
    solid = turned[3] > VISIBLE
    rows, columns = torch.nonzero(solid.any(1)).flatten(), torch.nonzero(solid.any(0)).flatten()
    return turned[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def find_places(pieces, side, rng):
    """[(y, x)] of pieces in a square so that none covers another by more than a tenth, or None."""
    room = [MOST_COVERED * float((p[3] > VISIBLE).sum()) for p in pieces]  # pixels of each that may still be covered
    boxes = {}
    for i in sorted(range(len(pieces)), key=lambda i: -room[i]):  # the largest first
        height, width = pieces[i].shape[1:]
        for _ in range(40):
            y, x = int(rng.integers(side - height + 1)), int(rng.integers(side - width + 1))
            shared = {j: max(0, min(y + height, b[2]) - max(y, b[0])) * max(0, min(x + width, b[3]) - max(x, b[1]))
                      for j, b in boxes.items()}
            if sum(shared.values()) <= room[i] and all(area <= room[j] for j, area in shared.items()):
                break
        else:
            return None
        room[i] -= sum(shared.values())
        for j, area in shared.items():
            room[j] -= area
        boxes[i] = (y, x, y + height, x + width)
    return [boxes[i][:2] for i in range(len(pieces))]


class Scenes:
    """Seeded scenes. sprites: {style: {object: uint8 (4, 96, 96)}}; held_out: colours come from the held-out pairs.

    toned: the part of the objects without colour that are drawn in one of TONES, so that shapes are learnt where the artist's
    colours are gone, without showing a pair that is held out.
    """

    def __init__(self, sprites=None, held_out=False, toned=0.0):
        self.sprites, self.held_out, self.toned = sprites or training_sprites(), held_out, toned
        assert held_out or HELD_OUT_STYLE not in self.sprites, "the held-out style must not be trained on"
        self.names = [o["name"] for o in load_splits()["objects"]]
        self.kinds = {o["name"]: CLASSES.index(o["class"]) for o in load_splits()["objects"]}
        self.colours = {n: [c for c in COLOURS if colour_is_held_out(c, n) == held_out] for n in self.names}
        self.styles = list(self.sprites)
        lines = [s in LINE_STYLES for s in self.styles]
        plain = 1 - LINE_SHARE if any(lines) else 1
        self.shares = [LINE_SHARE / sum(lines) if line else plain / (len(lines) - sum(lines)) for line in lines]

    def style(self, rng):
        return self.styles[rng.choice(len(self.styles), p=self.shares)]

    def colour(self, name, rng):
        """A colour that this split allows for the object; None where it allows none."""
        return self.colours[name][rng.integers(len(self.colours[name]))] if self.colours[name] else None

    def size(self, rng):
        return "big" if rng.random() < 0.45 else "small"

    def other_names(self, rng, count, taken):
        free = [n for n in self.names if n not in taken]
        return [free[i] for i in rng.choice(len(free), size=count, replace=False)]

    def specs(self, rng, count=None):
        """[(name, colour, size)] of a scene; often several of one name that differ in colour, size or place alone."""
        count = count or 1 + int(rng.choice(MOST_OBJECTS, p=COUNT_SHARES))
        alike = min(count, int(rng.integers(2, 4))) if count > 1 and rng.random() < 0.55 else 1
        name = self.names[rng.integers(len(self.names))]
        return shuffled(self.alike(name, alike, rng) + self.others(rng, count - alike, [name]), rng)

    def others(self, rng, count, taken):
        """Specs of `count` objects whose names differ from each other and from those taken."""
        return [(n, self.colour(n, rng) if rng.random() < 0.6 else None, self.size(rng))
                for n in self.other_names(rng, count, taken)]

    def alike(self, name, count, rng):
        """`count` objects of one name. All are coloured or none is: artwork has colours of its own."""
        colours, sizes = [None] * count, [self.size(rng)] * count
        differ = ("colour", "size", "place")[rng.integers(3)]
        if differ == "colour" and len(self.colours[name]) >= count:
            colours = list(rng.choice(self.colours[name], size=count, replace=False))
        elif rng.random() < 0.5:
            colours = [self.colour(name, rng)] * count
        if differ == "size":
            sizes = ["big"] + ["small"] * (count - 1) if rng.random() < 0.5 else ["small"] + ["big"] * (count - 1)
        return [(name, None if c is None else str(c), s) for c, s in zip(colours, sizes)]

    def tone(self, spec, rng):
        """Straight RGB of a tone for an object without colour, or None."""
        return TONES[rng.integers(len(TONES))] if self.toned and spec[1] is None and rng.random() < self.toned else None

    def piece(self, spec, style, side, rng, tone=None):
        """Premultiplied (4, h, w) of one object."""
        name, colour, size = spec
        rgba = torch.from_numpy(np.array(self.sprites[style][name], dtype=np.float32)) / 255
        rgb, alpha = rgba[:3], rgba[3:]
        paint = tone if colour is None else COLOURS[colour]
        if paint is not None:
            rgb = recolour(rgb, alpha, np.clip(paint + rng.uniform(-0.05, 0.05, 3), 0, 1))
        angle = rng.uniform(-0.25, 0.25) if rng.random() < 0.5 else 0.0
        flip = -1 if rng.random() < 0.4 else 1
        return shrink(torch.cat([rgb * alpha, alpha]), rng.uniform(*SIZES[size]) * side, angle, flip)

    def draw(self, rng, side=128, specs=None, style=None):
        """One Scene of `side` pixels; specs [(name, colour, size)] and style are drawn where not given."""
        specs = specs or self.specs(rng)
        style = style or self.style(rng)
        while any(name not in self.sprites[style] for name, _, _ in specs):
            style = self.style(rng)
        tones = [self.tone(spec, rng) for spec in specs]
        for _ in range(60):
            pieces = [self.piece(spec, style, side, rng, tone) for spec, tone in zip(specs, tones)]
            places = find_places(pieces, side, rng)
            if places:
                return self.compose(specs, tones, pieces, places, style, side, rng)
        raise ValueError(f"no room for {specs}")

    def compose(self, specs, tones, pieces, places, style, side, rng):
        """Draws the pieces in order; a later one covers an earlier one."""
        layer, masks = torch.zeros(4, side, side), []
        for piece, (y, x) in zip(pieces, places):
            part = layer[:, y : y + piece.shape[1], x : x + piece.shape[2]]
            part.copy_(piece + part * (1 - piece[3:]))
            solid = torch.zeros(side, side, dtype=torch.bool)
            solid[y : y + piece.shape[1], x : x + piece.shape[2]] = piece[3] > VISIBLE
            masks = [mask & ~solid for mask in masks] + [solid]
        picture = layer[:3] + (1 - layer[3:]) * visible_background(layer, masks, side, rng)
        picture = np.uint8((picture.clamp(0, 1) * 255).permute(1, 2, 0).numpy().round())
        labels, things = np.zeros((side, side), np.uint8), []
        for (name, colour, size), tone, mask in zip(specs, tones, masks):
            mask = mask.numpy()
            labels[mask] = 1 + self.kinds[name]
            things.append(Thing(name, colour, size, box_of(mask), mask, tone is not None))
        return Scene(picture, things, labels, style)


def enlarged(scene, side):
    """The scene as a model of larger pictures sees it: `side` pixels, by Pillow's bicubic, as the service resizes."""
    if scene.picture.shape[0] == side:
        return scene
    from PIL import Image

    pixels = np.arange(side) * scene.picture.shape[0] // side
    picture = np.asarray(Image.fromarray(scene.picture).resize((side, side), Image.BICUBIC))
    return replace(scene, picture=picture, labels=scene.labels[pixels][:, pixels],
                   things=[replace(thing, mask=thing.mask[pixels][:, pixels]) for thing in scene.things])


def shuffled(specs, rng):
    """In random order, with no more big ones than find a place: those that come last turn small."""
    bigs, kept = 0, []
    for name, colour, size in specs:
        bigs += size == "big"
        kept.append((name, colour, "small" if bigs > MOST_BIG[len(specs)] else size))
    return [kept[i] for i in rng.permutation(len(kept))]


def box_of(mask):
    """x0, y0, x1, y1 in 0..1 around the true pixels."""
    columns, rows = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
    side = mask.shape[0]
    return columns[0] / side, rows[0] / side, (columns[-1] + 1) / side, (rows[-1] + 1) / side


def visible_background(layer, masks, side, rng):
    """(3, S, S) against which every object stands out; layer: premultiplied (4, S, S). The best of five where none does."""
    drawn = drawn_backgrounds(5, torch.Generator().manual_seed(int(rng.integers(2**31))))
    best, most = None, -1.0
    for i in range(5):
        ground = painted(side, *(part[i : i + 1] for part in drawn))[0]
        distance = (layer[:3] - ground * layer[3:]).abs().amax(0)
        contrast = min(float(distance[mask].mean()) for mask in masks)
        if contrast > most:
            best, most = ground, contrast
        if contrast > LEAST_CONTRAST:
            break
    return best


def normalised(pictures):
    """[uint8 (S, S, 3)] -> float (B, 3, S, S) as the encoder takes it (§11)."""
    return (torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 255 - MEAN) / STD
