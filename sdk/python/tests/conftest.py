"""A live service with the default model (the root must be built), and pictures and sounds that it knows."""

import re
import subprocess
from pathlib import Path
from typing import Iterator

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its address."""
    data = tmp_path_factory.mktemp("data")
    command = ["node", "bin/onepeace.js", "serve", "--port", "0", "--data", str(data)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    url = re.search(r"http://[\d.:]+", process.stdout.readline())
    if url is None:
        raise RuntimeError("The service did not start; run `npm ci` at the root first.")
    yield url.group()
    process.terminate()
    process.wait(30)


@pytest.fixture(scope="session")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of `pizza.png`, `dog.png`, `helicopter.wav` and `rain.wav`."""
    folder = tmp_path_factory.mktemp("media")
    subprocess.run(["node", str(HERE / "write_media.mjs"), str(folder)], check=True)
    return folder
