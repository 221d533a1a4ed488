"""The benchmark on disk: the same bytes every time, complete, and of held-out compositions only."""
import json

import numpy as np
import pytest

from training.material.benchmark import write_benchmark
from training.material.mixtures import Events
from training.material.objects import colour_is_held_out
from training.material.phrases import composition_is_held_out
from training.material.scenes import Scenes
from training.material.sound_questions import SoundQuestions

from .test_material import invented_sprites
from .test_material_sounds import invented_clips, invented_words

SMALL = {"grounding": 12, "questions": 11, "pairs": 6, "segmentation": 4, "sound_questions": 9, "sounds": 1}


def write(out):
    sets = {styles: Scenes(invented_sprites((style,)), held_out=True)
            for styles, style in (("training", "noto"), ("held-out", "twemoji"))}
    sounds = SoundQuestions(True, Events("held_out", invented_clips()), invented_words())
    return write_benchmark(out, sets, sounds, SMALL, side=64)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    pytest.importorskip("PIL")
    folders = [tmp_path_factory.mktemp(name) for name in ("first", "second")]
    for folder in folders:
        write(folder)
    return folders


def test_two_runs_write_the_same_bytes(written):
    files = [sorted(p.relative_to(folder) for p in folder.rglob("*") if p.is_file()) for folder in written]
    assert files[0] == files[1] and len(files[0]) > 100
    for name in files[0]:
        assert (written[0] / name).read_bytes() == (written[1] / name).read_bytes(), name


def test_every_file_named_is_there_and_every_answer_is_possible(written):
    from PIL import Image

    data = json.loads((written[0] / "benchmark.json").read_text())
    for key in ("grounding", "questions", "pairs", "segmentation"):
        assert len(data[key]) == 2 * SMALL[key] and {row["styles"] for row in data[key]} == {"training", "held-out"}
    named = [row[k] for rows in data.values() if isinstance(rows, list) for row in rows if isinstance(row, dict)
             for k in ("picture", "mask", "left", "right", "sound") if isinstance(row.get(k), str)]
    assert named and all((written[0] / name).is_file() for name in named)
    assert all(row["answer"] in data["answers"] and row["kind"] in data["chance"]["questions"] for row in data["questions"])
    assert all(0 <= a < b <= 1 for row in data["grounding"] for a, b in zip(row["box"][:2], row["box"][2:]))
    assert all(len(row["candidates"]) == 4 and row["right"] in range(4) for row in data["sound_questions"])
    mask = np.asarray(Image.open(written[0] / data["segmentation"][0]["mask"]))
    assert mask.shape == (64, 64) and 0 < mask.max() < len(data["classes"])


def test_what_it_asks_is_held_out(written):
    data = json.loads((written[0] / "benchmark.json").read_text())
    said = [row["composition"] for key in ("grounding", "questions", "pairs") for row in data[key] if row["composition"]]
    assert len(said) > 20 and all(composition_is_held_out(words) for words in said)


def test_it_refuses_training_scenes(tmp_path):
    with pytest.raises(AssertionError):
        write_benchmark(tmp_path, {"training": Scenes(invented_sprites())}, None, SMALL, side=64)
    assert colour_is_held_out("red", "dog")
