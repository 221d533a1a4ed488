"""The PyTorch side of against-pytorch.mjs: this project's own model, eager, answering one request a line on standard input.

    {"load": FILE, "threads": 2}                           -> {"ready": …}
    {"modality": "text", "files": {…}, "shapes": {…}}      -> {"ms": …, "embedding": [first row]}
    {"matrix": [M, K, N]}                                  -> {"ms": …}
"""
import json
from pathlib import Path
import sys
import time

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from training.onepeace.checkpoint import load_checkpoint  # noqa: E402

DTYPES = {"src_tokens": np.int64, "src_images": np.float32, "src_audios": np.float32, "audio_padding_masks": np.bool_}
ORDER = {"text": ["src_tokens"], "image": ["src_images"], "audio": ["src_audios", "audio_padding_masks"]}


def answer(request, state):
    if "load" in request:
        torch.set_num_threads(request["threads"])
        state["model"] = load_checkpoint(request["load"])
        return {"ready": torch.__version__}
    if "matrix" in request:
        m, k, n = request["matrix"]
        a, b = torch.rand(m, k), torch.rand(k, n)
        return {"ms": timed(lambda: a @ b)[0]}
    inputs = [tensor(name, request) for name in ORDER[request["modality"]]]
    ms, embedding = timed(lambda: state["model"].embed(request["modality"], *inputs))
    return {"ms": ms, "embedding": embedding[0].tolist()}


def timed(run):
    start = time.perf_counter()
    result = run()
    return 1000 * (time.perf_counter() - start), result


def tensor(name, request):
    array = np.fromfile(request["files"][name], DTYPES[name]).reshape(request["shapes"][name])
    return torch.from_numpy(array)


state = {}
with torch.no_grad():
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line), state)), flush=True)
