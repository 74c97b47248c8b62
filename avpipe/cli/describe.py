"""avpipe describe: what a network's layers cost and see

usage: avpipe describe bundle=BUNDLE [format=table|json] [output=FILE.png|FILE.json]
       avpipe describe task=TASK [encoder=NAME] [encoder.name=...] [num_outputs=10] [key=value ...]
       avpipe describe classifier=NAME

  bundle        a bundle's folder, or the name of one that ships
  task          of a network that is not trained yet, with the keys of avpipe train: encoder, pooling, preprocess...
  num_outputs   width of its head, which a corpus would tell
  classifier    alexnet, vgg16, resnet50 ...: the whole network of torchvision, as published, with 1000 classes
  format        table (normalisation and activation stand with the layer before), or json (every layer by itself)
  output        a picture (.png), or the same JSON (.json)

Of each layer it tells the size of the output for one full window, kernel / stride + padding * dilation, parameters,
multiplications with additions and their share, how many places of the input a value depends on along each axis
(by the longest path; a star: some path besides sees all of the axis, such as a mean or a squeeze-and-excitation), and
the memory of its output in 32 bits.

example: avpipe describe task=sound_event encoder=torchvision encoder.name=resnet18
"""

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import replace
from inspect import signature
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Column, Table
from torch import nn

from avpipe.bundle import find_bundle, full_window, load_bundle, try_out
from avpipe.cli.command import run
from avpipe.config import instantiate, target_of
from avpipe.errors import ArgumentError
from avpipe.features import Preprocessor
from avpipe.files import write_text
from avpipe.networks import Arithmetic, Layer, account, folded, layer_arithmetic

_TABLE_WIDTH = 132


def main(config: Mapping[str, Any]) -> int:
    if config["format"] not in ("table", "json"):
        raise ArgumentError(f"format={config['format']}", "no such format", "choose from: table, json")
    output = None if config["output"] is None else Path(config["output"])
    if output is not None and output.suffix.lower() not in (".png", ".json"):
        raise ArgumentError(f"output={output}", "no such kind of file", "give FILE.png or FILE.json")
    title, sums = _described(config)
    text = json.dumps(_plain(title, sums), indent=2)
    if config["format"] == "json":
        print(text)
    else:
        _print(title, sums)
    if output is not None and output.suffix.lower() == ".json":
        write_text(output, f"{text}\n")
    elif output is not None:
        from avpipe.report import write_layer_picture

        write_layer_picture(output, _costs(title, sums), _layers(sums))
    return 0


def _described(config: Mapping[str, Any]) -> tuple[str, Arithmetic]:
    if config["classifier"] is not None:
        return _classifier(str(config["classifier"]))
    if config["bundle"] is not None:
        bundle = load_bundle(find_bundle(config["bundle"]))
        return f"bundle {bundle.name}", _accounted(bundle.preprocessor, bundle.network)
    spec = config["network"]
    if "num_outputs" in signature(target_of(spec)).parameters:
        if config["num_outputs"] < 1:
            raise ArgumentError(f"num_outputs={config['num_outputs']}", "must be at least 1")
        spec = {**spec, "num_outputs": config["num_outputs"]}
    torch.manual_seed(config["seed"])
    preprocessor, network = instantiate(config["preprocess"]), instantiate(spec)
    try_out(preprocessor, network)
    return f"task {config['task']['name']}", _accounted(preprocessor, network)


def _accounted(preprocessor: Preprocessor, network: nn.Module) -> Arithmetic:
    return layer_arithmetic(network, *full_window(preprocessor))


def _classifier(name: str) -> tuple[str, Arithmetic]:
    from torchvision.models import get_model, get_model_weights, list_models

    transforms = get_model_weights(name)["DEFAULT"].transforms if name in list_models() else None
    size_px = getattr(transforms, "keywords", {}).get("crop_size")
    if not isinstance(size_px, int):  # of films it is two numbers, and what finds objects has none
        reason, remedy = "torchvision has no such classifier of pictures", "give alexnet, vgg16, resnet50 or the like"
        raise ArgumentError(f"classifier={name}", reason, remedy)
    tapped = {"init_weights": True, "aux_logits": False} if name in ("googlenet", "inception_v3") else {}
    pictures = torch.zeros(1, 3, size_px, size_px)
    inputs = [(pictures, (None, None, "height", "width"))]
    sums = account(get_model(name, weights=None, **tapped), (pictures,), inputs)
    return f"classifier {name} at {size_px}x{size_px}", sums


def _print(title: str, sums: Arithmetic) -> None:
    names = ("layer", "kind", "output", "kernel", "parameters", "multiply-adds", "share", "sees", "memory")
    table = Table(*(Column(name, justify="right" if name in names[4:] else "left", overflow="fold") for name in names))
    for layer in _layers(sums):
        table.add_row(
            layer.name,
            layer.kind.partition(",")[0],
            "x".join(map(str, layer.output)),
            _geometry(layer),
            f"{layer.parameters:,}" if layer.parameters else "",
            _large(layer.multiply_adds),
            f"{layer.multiply_adds / max(1, sums.multiply_adds):.1%}" if layer.multiply_adds else "",
            _seen(layer),
            _bytes(layer.activation_bytes),
        )
    console = Console(markup=False, emoji=False)
    console.width = max(console.width, _TABLE_WIDTH)
    console.print(table)
    if any(field.is_global for layer in sums.layers for field in layer.fields.values()):
        print("*: some path besides sees all of the axis")
    counter = sums.counted_flops // 2
    told = "the same" if counter == sums.multiply_adds else _large(counter)
    print(f"{_costs(title, sums)} (by torch's own counter {told}), {_bytes(sums.activation_bytes)} of outputs")
    for sense, encoder in sums.encoders.items():
        size = "x".join(map(str, encoder.output))
        own = replace(encoder, fields={axis.split()[-1]: field for axis, field in encoder.fields.items()})
        steps = ", ".join(f"{_sign(axis)} {float(field.step):g}" for axis, field in own.fields.items())
        print(f"encoder of {sense}: {size}; a value sees {_seen(own)}, the next one lies {steps} further")


def _costs(title: str, sums: Arithmetic) -> str:
    more = f" (and {sums.training_only:,} in training only)" if sums.training_only else ""
    return f"{title}: {sums.parameters:,} parameters{more}, {_large(sums.multiply_adds)} multiply-adds"


def _layers(sums: Arithmetic) -> list[Layer]:
    """The layers, named without what all those of an encoder begin with; of several encoders the sense is told."""
    begins, kept = re.compile(r"(^|\.)encoders\.(\w+\.)(trunk\.)?"), r"\1\2" if len(sums.encoders) > 1 else r"\1"
    return [replace(layer, name=begins.sub(kept, layer.name)) for layer in folded(sums.layers)]


def _geometry(layer: Layer) -> str:
    """Kernel / stride + padding * dilation, where these are not 1, 0 and 1."""
    told = _by(layer.kernel)
    for sign, sizes, usual in (("/", layer.stride, 1), ("+", layer.padding, 0), ("*", layer.dilation, 1)):
        told += f" {sign}{_by(sizes, square=True)}" if set(sizes) - {usual} else ""
    return told


def _seen(layer: Layer) -> str:
    """Places by axis."""
    marks = ((axis, field.places, "*" if field.is_global else "") for axis, field in layer.fields.items())
    return ", ".join(f"{_sign(axis)} {places}{mark}" for axis, places, mark in marks)


def _sign(axis: str) -> str:
    # frequency, time, height, width: each begins with another letter, and so do audio and video before them
    return ".".join(word[0] for word in axis.split())


def _by(sizes: tuple[int, ...], square: bool = False) -> str:
    return str(sizes[0]) if square and len(set(sizes)) == 1 else "x".join(map(str, sizes))


def _large(number: int) -> str:
    for size, sign in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.2f} {sign}"
    return str(number) if number else ""


def _bytes(number: int) -> str:
    return f"{number / 1024**2:.2f} MiB" if number >= 1024**2 else f"{number / 1024:.1f} KiB" if number else ""


def _plain(title: str, sums: Arithmetic) -> dict[str, Any]:
    return {
        "described": title,
        "parameters": sums.parameters,
        "training_only_parameters": sums.training_only,
        "multiply_adds": sums.multiply_adds,
        "flops_by_torch": sums.counted_flops,
        "activation_bytes": sums.activation_bytes,
        "encoders": {sense: _plain_layer(layer, sums) for sense, layer in sums.encoders.items()},
        "layers": [_plain_layer(layer, sums) for layer in sums.layers],
    }


def _plain_layer(layer: Layer, sums: Arithmetic) -> dict[str, Any]:
    return {
        "name": layer.name,
        "kind": layer.kind,
        "output": layer.output,
        "kernel": layer.kernel,
        "stride": layer.stride,
        "padding": layer.padding,
        "dilation": layer.dilation,
        "parameters": layer.parameters,
        "multiply_adds": layer.multiply_adds,
        "share": round(layer.multiply_adds / max(1, sums.multiply_adds), 6),
        "receptive_field": {axis: field.places for axis, field in layer.fields.items()},
        "step": {axis: float(field.step) for axis, field in layer.fields.items()},
        "global": [axis for axis, field in layer.fields.items() if field.is_global],
        "activation_bytes": layer.activation_bytes,
    }


if __name__ == "__main__":
    sys.exit(run("describe", main))
