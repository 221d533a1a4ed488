"""A bundle -> the checkpoints that it was converted from, to train on when those are gone.

    python -m training.from_bundle models/onepeace-nano --out training/runs/bundle

Writes nano.pt (retrieval) and one checkpoint a head, with its labels, as pretrain.py and finetune.py do. Weights have the
precision of the bundle (fp16), so that converting them again gives the same bytes. Decoder and optimiser are not in a bundle.
"""
import argparse
import json
import re
from pathlib import Path

import numpy as np
import torch

from .finetune_groups import GROUPS
from .onepeace.checkpoint import BUFFERS, save_checkpoint, load_exactly
from .onepeace.config import Config
from .onepeace.heads import FineTuned, save_fine_tuned
from .onepeace.model import OnePeace

UNUSED = ("encoder_wrapper.audio_adapter.mask_embedding", "encoder_wrapper.image_adapter.type_embedding_2")  # by these graphs
LACKED = {"vocab_size": 4, "text_bucket_size": 32, "image_bucket_size": 6, "image_rel_bucket_size": 6, "audio_bucket_size": 64,
          "feature_encoder_spec": "[(32, 10, 5)]"}  # sizes of branches that a head may lack


def graph_tensors(folder, file):
    """The weights of one graph under their checkpoint names, float32. Linear layers are stored transposed, for MatMul."""
    import onnx
    from onnx.numpy_helper import to_array

    graph = onnx.load(folder / file).graph  # reads the weights beside it as well
    origin = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "Cast"}
    turned = {origin.get(node.input[1], node.input[1]) for node in graph.node if node.op_type == "MatMul"}
    named = {t.name: to_array(t) for t in graph.initializer if not t.name.startswith("/")}
    if quantised := [name for name in named if name.endswith("_scale")]:
        raise ValueError(f"{folder} is stored in few bits ({quantised[0]}); weights to train on come of an fp32 or fp16 bundle")
    tensors = {name: torch.from_numpy(np.array(x.T if name in turned else x, np.float32))
               for name, x in named.items() if not name.endswith(BUFFERS)}
    return {name: as_convolution(name, x, tensors) for name, x in tensors.items()}


def as_convolution(name, weight, tensors):
    """[out, in, k] of a convolution of the audio front end that is stored as a product, [out, k · in]; others as they are."""
    convolution = re.fullmatch(r"(.*\.conv_layers\.)(\d+)\.0\.weight", name)
    if convolution is None or weight.ndim == 3:
        return weight
    prefix, layer = convolution[1], int(convolution[2])
    channels = 1 if layer == 0 else len(tensors[f"{prefix}{layer - 1}.2.1.weight"])
    return weight.reshape(len(weight), -1, channels).transpose(1, 2).contiguous()


def config_of(tensors, conv_layers=(), head_type="val"):
    """The architecture, read from the shapes of a model's tensors; what a model lacks gets the default."""
    rows = lambda m: tensors[f"encoder_wrapper.{m}_adapter.rel_pos_table_list.0.weight"].shape[0]
    size = {**LACKED}
    if "encoder_wrapper.text_adapter.embed_tokens.weight" in tensors:
        size.update(vocab_size=len(tensors["encoder_wrapper.text_adapter.embed_tokens.weight"]),
                    text_bucket_size=(rows("text") - 2) // 2)
    if "encoder_wrapper.image_adapter.pos_embed" in tensors:
        size.update(image_bucket_size=int((len(tensors["encoder_wrapper.image_adapter.pos_embed"]) - 1) ** 0.5),
                    image_rel_bucket_size=(int((rows("image") - 3) ** 0.5) + 1) // 2)
    audio = "encoder_wrapper.audio_adapter."
    if f"{audio}cls_embedding" in tensors:
        channels = [tensors[f"{audio}embed_audios.0.conv_layers.{i}.0.weight"].shape[0] for i in range(len(conv_layers))]
        size.update(audio_bucket_size=(rows("audio") - 2) // 2, feature_encoder_spec=" + ".join(
            f"[({c}, {layer['kernel']}, {layer['stride']})]" for c, layer in zip(channels, conv_layers)))
        depth = sum(re.fullmatch(re.escape(audio) + r"embed_positions\.\d+\.0\.weight", k) is not None for k in tensors)
        out, within, kernel = tensors[f"{audio}embed_positions.1.0.weight"].shape
        size.update(conv_pos_depth=depth, conv_pos_width=kernel * depth, conv_pos_groups=out // within)
    ffn = next(v for k, v in tensors.items() if k.endswith("_ffn.0.wi_0.weight"))
    table = next(v for k, v in tensors.items() if k.endswith("rel_pos_table_list.0.weight"))
    return Config(
        embed_dim=ffn.shape[1], ffn_embed_dim=ffn.shape[0], attention_heads=table.shape[1], head_type=head_type,
        layers=1 + max(int(n) for k in tensors for n in re.findall(r"fusion_model\.layers\.(\d+)\.", k)),
        copy_rel_pos_table=any("rel_pos_table_list.1." in k for k in tensors),
        add_type_embedding=any("type_embedding" in k for k in tensors), **size)


def retrieval_model(folder, manifest):
    """The bundle's retrieval model, OnePeace."""
    graphs = [manifest[m]["graph"] for m in manifest["modalities"]]
    tensors = {k: v for file in graphs for k, v in graph_tensors(folder, file).items()}
    head_type = "".join(letter for letter, m in (("v", "image"), ("a", "audio"), ("l", "text")) if m in manifest["modalities"])
    model = OnePeace(config_of(tensors, manifest.get("audio", {}).get("convLayers", ()), head_type))
    tensors["logit_scale"] = torch.tensor(float(np.log(manifest["logitScale"])))
    return filled(model, tensors)


def filled(model, tensors):
    """The model with these tensors, complete but for those that no graph uses."""
    own = model.state_dict()
    load_exactly(model, {**{k: own[k] for k in UNUSED if k in own}, **tensors})
    return model


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    manifest = json.loads((args.bundle / "manifest.json").read_text())
    save_checkpoint(args.out / "nano.pt", retrieval_model(args.bundle, manifest), {"from": manifest["name"]})
    heads = {task.name: task.head for group in GROUPS.values() for task in group.tasks()}
    for entry in manifest["heads"]:
        tensors, head = graph_tensors(args.bundle, entry["graph"]), heads[entry["name"]]
        config = config_of(tensors, entry.get("audio", {}).get("convLayers", ()), head.head_type)
        save_fine_tuned(args.out / f"{entry['name']}.pt", config, head, filled(FineTuned(config, head), tensors).state_dict())
        if entry.get("labels"):
            (args.out / f"{entry['name']}.labels.json").write_text(json.dumps(entry["labels"]))
    print(f"{args.out}: nano.pt" + "".join(f", {entry['name']}.pt" for entry in manifest["heads"]))


if __name__ == "__main__":
    main()
