"""The package as a user gets it: built, and installed in an empty environment."""

import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path
from typing import Dict

import pytest

PACKAGE = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Dict[str, Path]:
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "build", "--outdir", str(folder), str(PACKAGE)], check=True)
    wheel, sdist = next(folder.glob("*.whl")), next(folder.glob("*.tar.gz"))
    return {"wheel": wheel, "sdist": sdist}


def test_holds_the_package_and_nothing_else(built: Dict[str, Path]) -> None:
    with zipfile.ZipFile(built["wheel"]) as wheel:
        names = wheel.namelist()
    assert {"onepeace_client/py.typed", "onepeace_client/contract.py", "onepeace_client/_sync/client.py"} <= set(names)
    assert {name.split("/")[0] for name in names} == {"onepeace_client", "onepeace_client-0.1.0.dist-info"}
    with tarfile.open(built["sdist"]) as sdist:
        top = {member.name.split("/")[1] for member in sdist.getmembers()}
    assert top <= {"src", "examples", "README.md", "LICENSE", "pyproject.toml", "PKG-INFO", ".gitignore"}


def test_installs_in_an_empty_environment_and_works_there(built: Dict[str, Path], service: str, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    python = str(tmp_path / "venv" / "bin" / "python")
    subprocess.run([python, "-m", "pip", "install", "-q", str(built["wheel"])], check=True)
    program = f"from onepeace_client import Client; print(len(Client('{service}').embed(['a', 'b'])['data']))"
    done = subprocess.run([python, "-W", "error", "-c", program], stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout == "2\n"
