#!/usr/bin/env bash
# Prints the path of a Python that has what the training tests need, installing it where it is missing: a virtual environment
# with the pinned torch if a wheel for the CPU is at hand (PIP_FIND_LINKS), else Debian's packages.
set -euo pipefail
cd "$(dirname "$0")"
needs='import torch, numpy, PIL, pytest, regex, tokenizers'

for candidate in .venv/bin/python python3 /usr/bin/python3; do
  if command -v "$candidate" >/dev/null && "$candidate" -c "$needs" 2>/dev/null; then
    [ -x "$candidate" ] && readlink -f "$(dirname "$candidate")" | sed "s|\$|/$(basename "$candidate")|" || command -v "$candidate"
    exit
  fi
done
{
  if ls "${PIP_FIND_LINKS:-/nonexistent}"/torch-*cpu*.whl >/dev/null 2>&1; then
    python3 -m venv .venv
    .venv/bin/pip install -q torch==2.13.0 -r requirements.txt
  else
    root() { if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi; }
    root apt-get update -qq
    root apt-get install -yqq python3-torch python3-numpy python3-pil python3-venv
    /usr/bin/python3 -m venv --system-site-packages .venv
    .venv/bin/pip install -q -r requirements.txt
  fi
  .venv/bin/python -c "$needs"
} >&2
echo "$PWD/.venv/bin/python"
