"""Contact sheets and a few sounds of the training material, for a person to look at and listen to.

    python -m training.material.preview --out DIR

styles.png (a row a style), pictures.png (augmented, as stage 1 sees them), scenes.png (boxes and a phrase), masks.png,
questions.png, pairs.png, sounds.png (spectrograms, 0 to 8 kHz); sounds/: one training clip of each event and sound questions,
with sounds.txt saying what is in them.
"""
import argparse
from pathlib import Path
import textwrap

import numpy as np

from .augment import MEAN, STD
from .benchmark import Writer
from .objects import CLASSES
from .pairs import TRUE, PicturePairs
from .phrases import Grounding, caption
from .pictures import Pictures
from .questions import PictureQuestions
from .scenes import Scenes
from .sound_questions import SoundQuestions
from .sound_synthesis import synthesise
from .sounds import SOUND_EVENTS

TILE, LINE, LETTER = 192, 13, 6.2  # pixels
CLASS_COLOURS = np.array([[0, 0, 0], [230, 60, 60], [60, 170, 60], [240, 160, 40], [60, 90, 230], [150, 90, 50], [120, 200, 240],
                          [200, 80, 200], [240, 230, 60], [150, 150, 150]], np.uint8)
MEANT, OTHER = (220, 0, 0), (120, 120, 120)


def sheet(path, tiles, columns, tile=TILE):
    """tiles: [(uint8 (S, S, 3) or wider, [lines of text below], [(box, colour)])] -> one picture."""
    from PIL import Image, ImageDraw

    wide = max(p.shape[1] / p.shape[0] for p, _, _ in tiles)
    fitted = lambda lines: [part for line in lines for part in textwrap.wrap(line, int(tile * wide / LETTER))]
    tiles = [(pixels, fitted(lines), boxes) for pixels, lines, boxes in tiles]
    text_room = LINE * max(len(lines) for _, lines, _ in tiles) + 4
    step = int(tile * wide) + 6, tile + text_room + 4
    canvas = Image.new("RGB", (step[0] * columns, step[1] * -(-len(tiles) // columns)), "white")
    draw = ImageDraw.Draw(canvas)
    for i, (pixels, lines, boxes) in enumerate(tiles):
        x, y = i % columns * step[0], i // columns * step[1]
        canvas.paste(Image.fromarray(pixels).resize((int(tile * pixels.shape[1] / pixels.shape[0]), tile), Image.BICUBIC), (x, y))
        for box, colour in boxes:
            draw.rectangle([x + box[0] * tile, y + box[1] * tile, x + box[2] * tile, y + box[3] * tile], outline=colour, width=2)
        for n, line in enumerate(lines):
            draw.text((x + 2, y + tile + 1 + n * LINE), line, fill="black")
    canvas.save(path)


def styles_sheet(path, scenes, rng):
    """A row of the same objects for each style."""
    names = scenes.other_names(rng, 14, [n for n in scenes.names if any(n not in s for s in scenes.sprites.values())])
    tiles = []
    for style, sprites in scenes.sprites.items():
        for name in names:
            rgba = sprites[name].transpose(1, 2, 0) / 255
            white = rgba[..., :3] * rgba[..., 3:] + 1 - rgba[..., 3:]
            tiles.append((np.uint8(white * 255), [name, style], []))
    sheet(path, tiles, len(names), 110)


def pictures_sheet(path, rng):
    pictures, texts, _ = Pictures().draw(60, 96, rng)
    pixels = ((pictures * STD + MEAN).clamp(0, 1) * 255).byte().permute(0, 2, 3, 1).numpy()
    sheet(path, [(p, [t], []) for p, t in zip(pixels, texts)], 10, 130)


def scene_sheets(out, scenes, rng):
    grounding, tiles, masks = Grounding(scenes), [], []
    for _ in range(32):
        scene, phrase = grounding.one(rng, 128)
        boxes = [(t.box, MEANT if i == phrase.index else OTHER) for i, t in enumerate(scene.things)]
        tiles.append((scene.picture, [f"{phrase.kind}: {phrase.text}", f"caption: {caption(scene, False, rng)}"], boxes))
        shown = np.unique(scene.labels[scene.labels > 0])
        masks.append((np.hstack([scene.picture, CLASS_COLOURS[scene.labels]]), [", ".join(CLASSES[n - 1] for n in shown)], []))
    sheet(out / "scenes.png", tiles, 8)
    sheet(out / "masks.png", masks, 4)


def question_sheets(out, scenes, rng):
    questions, pairs = PictureQuestions(scenes), PicturePairs(scenes)
    asked = [questions.one(rng, 128, kind) for kind in questions.kinds for _ in range(3)]
    sheet(out / "questions.png", [(q.scene.picture, [q.text, f"{q.answer} ({q.kind})"], []) for q in asked], 9)
    said = [pairs.one(rng, 128, kind) for kind in pairs.kinds for _ in range(4)]
    gap = np.full((128, 6, 3), 255, np.uint8)
    sheet(out / "pairs.png", [(np.hstack([s.left.picture, gap, s.right.picture]), [s.text, str(s.label == TRUE).lower()], [])
                              for s in said], 4)


def spectrogram(wave):
    """uint8 (128, 256, 3): 80 dB in greys, low frequencies below."""
    frames = np.lib.stride_tricks.sliding_window_view(wave, 512)[:: max(1, (len(wave) - 512) // 255)][:256] * np.hanning(512)
    power = np.abs(np.fft.rfft(frames)) ** 2
    level = 10 * np.log10(power[:, :256].reshape(len(frames), 128, 2).mean(2) / power.max() + 1e-8)
    return np.repeat(np.uint8((-level / 80 * 255).T[::-1, :, None]), 3, axis=2)


def sounds(out, rng):
    writer, lines, tiles = Writer(out), [], []
    for event in SOUND_EVENTS:
        wave = synthesise(event["name"], 0, held_out=False).astype(float)
        file = writer.wav(f"sounds/{event['name'].replace(' ', '-')}.wav", wave)
        lines.append(f"{file}: {event['texts'][2]}")
        tiles.append((spectrogram(wave), [event["texts"][2]], []))
    sheet(out / "sounds.png", tiles, 8, 90)
    source = SoundQuestions()
    for i, kind in enumerate(list(source.kinds) * 2):
        q = source.one(rng, kind=kind)
        file = writer.wav(f"sounds/question-{i:02d}.wav", q.wave)
        lines.append(f"{file}: {q.text} {', '.join(q.candidates)} -> {q.candidates[q.right]}")
    (out / "sounds.txt").write_text("\n".join(lines) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    rng, scenes = np.random.default_rng(args.seed), Scenes()
    styles_sheet(args.out / "styles.png", scenes, rng)
    pictures_sheet(args.out / "pictures.png", rng)
    scene_sheets(args.out, scenes, rng)
    question_sheets(args.out, scenes, rng)
    sounds(args.out, rng)
    print(f"look at {args.out}/*.png, listen to {args.out}/sounds")


if __name__ == "__main__":
    main()
