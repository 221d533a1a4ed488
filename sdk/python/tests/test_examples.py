"""The examples of the README, run as programs against a live service."""

import os
import re
import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def run(service: str, name: str, *args: object) -> str:
    command = [sys.executable, str(EXAMPLES / name), *map(str, args)]
    env = {**os.environ, "ONEPEACE_URL": service}
    return subprocess.run(command, env=env, check=True, stdout=subprocess.PIPE, text=True).stdout


def test_first_search(service: str, media: Path) -> None:
    said = run(service, "first_search.py", *(media / name for name in ["pizza.png", "dog.png", "helicopter.wav"]))
    assert re.fullmatch(r"pizza: .*pizza\.png\nsounds like it: audio, \w+\nmixture: 0\.\d\d\n", said)


def test_import_folder(service: str, media: Path, tmp_path: Path) -> None:
    (tmp_path / "dog.png").write_bytes((media / "dog.png").read_bytes())
    (tmp_path / "letter.txt").write_text("neither a picture nor a sound")
    assert run(service, "import_folder.py", tmp_path) == "letter.txt: 415 unsupported-media-type\ndog.png: image\n"


def test_understand(service: str, media: Path) -> None:
    said = run(service, "understand.py", media / "rain.wav", media / "pizza.png")
    assert said == "heard: rain\npizza more than rain: True\nno boxes: unsupported-by-model\n"
