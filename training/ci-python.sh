#!/usr/bin/env bash
# Prints the path of a Python that has what the training tests need, installing it where it is missing: a virtual environment
# with the pinned torch if a wheel for the CPU is at hand (PIP_FIND_LINKS), else with Debian's torch.
set -euo pipefail
cd "$(dirname "$0")"
needs='import torch, numpy, PIL, scipy, pytest, regex'
usable() { "$1" -c "$needs" 2>/dev/null; }
as_root() { if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi; }

for candidate in "$PWD/.venv/bin/python" "$(command -v python3)"; do
  if usable "$candidate"; then echo "$candidate"; exit; fi
done
{
  if ls "${PIP_FIND_LINKS:-/nonexistent}"/torch-*cpu*.whl; then
    python3 -m venv .venv
    .venv/bin/pip install -q torch==2.13.0
  else
    as_root apt-get update -qq
    as_root apt-get install -yqq python3-torch python3-venv
    /usr/bin/python3 -m venv --system-site-packages .venv
  fi
  .venv/bin/pip install -q -r requirements.txt
  usable .venv/bin/python
} >&2
echo "$PWD/.venv/bin/python"
