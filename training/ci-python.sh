#!/usr/bin/env bash
# Prints the path of a Python that has what the training tests need, installing it where it is missing: the pinned torch into
# a virtual environment if a wheel for the CPU is at hand (PIP_FIND_LINKS), else Debian's packages. Never the registry's own
# torch, which brings gigabytes of CUDA.
set -euo pipefail
cd "$(dirname "$0")"
usable() { "$1" -c 'import torch, numpy, scipy, pytest, regex' 2>/dev/null; }
as_root() { if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi; }

for candidate in "$PWD/.venv/bin/python" "$(command -v python3)" /usr/bin/python3; do
  if usable "$candidate"; then echo "$candidate"; exit; fi
done
if compgen -G "${PIP_FIND_LINKS:-/nonexistent}/torch-*cpu*.whl" >/dev/null; then
  python3 -m venv .venv
  .venv/bin/pip install -q torch==2.13.0 numpy scipy pytest regex pillow matplotlib >&2
  python="$PWD/.venv/bin/python"
else
  as_root apt-get update -qq >&2
  as_root apt-get install -yqq python3-torch python3-numpy python3-scipy python3-regex python3-pytest \
    python3-pil python3-matplotlib >&2
  python=/usr/bin/python3
fi
usable "$python"
echo "$python"
