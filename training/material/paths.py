"""Where the generated material lives: a folder outside git, `ONEPEACE_MATERIAL` or training/.material.

    node_modules/   the artwork packages (npm)          sprites/   rendered pictures, uint8
    speech/         synthesised words, int16 16 kHz
"""
import os
from pathlib import Path

TRAINING = Path(__file__).resolve().parent.parent
SPLITS = TRAINING / "splits.json"
BPE = TRAINING / "bpe"


def material_dir():
    """Folder of all generated material (created on demand by its writers)."""
    return Path(os.environ.get("ONEPEACE_MATERIAL", TRAINING / ".material"))


def package_dir(name):
    """An installed artwork package, for example package_dir("openmoji")."""
    path = material_dir() / "node_modules" / name
    if not path.is_dir():
        raise FileNotFoundError(f"artwork package {name} is missing: see training/README.md, 'Material' ({path})")
    return path
