"""Encoders that begin with published weights, of torchvision's networks or timm's."""

import pickle
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from avpipe.config import Spec, instantiate, target_of
from avpipe.errors import ArgumentError
from avpipe.files import sha256_of
from avpipe.networks import PretrainedEncoder

NONE = "none"


def check_pretrained(config: Mapping[str, Any]) -> None:
    """Refuse weights that are not there, before anything long is begun.

    Raises:
        ArgumentError: naming the file, and where it must be put.
    """
    for spec in _asked(config["network"]):
        if config["init_from"]:
            reason = "gives the weights of every layer, those of encoder.weights too"
            raise ArgumentError(f"init_from={config['init_from']}", reason, "leave one of the two out")
        weights_file(instantiate(spec))


def for_bundle(spec: Spec) -> Spec:
    """A network's specification for a bundle, which has all weights itself, and no head that only training needs."""
    bare = {key: for_bundle(part) if isinstance(part, Mapping) else part for key, part in spec.items()}
    if not _is_pretrained(bare):
        return bare
    return {**bare, "weights": NONE, **({"auxiliary": False} if "auxiliary" in bare else {})}


def begin_pretrained(network: nn.Module) -> None:
    """Give each encoder of a network the weights that it is to begin with.

    Raises:
        ArgumentError: they are not to be had, or are those of another network; nothing is left out in silence.
    """
    for module in network.modules():
        if isinstance(module, PretrainedEncoder) and module.weights != NONE:
            path = weights_file(module)
            given = module.fitted(_read(path))
            _check_fits(module, given, path)
            # What is missing by now is no more than counts of batches, on which no answer depends.
            module.trunk.load_state_dict(given, strict=False)


def weights_file(encoder: PretrainedEncoder) -> Path:
    """The file that ``encoder.weights`` means; nothing is downloaded.

    Raises:
        ArgumentError: it is not there, or it is torchvision's and not whole.
    """
    weights, published = encoder.weights, encoder.published
    if not published or weights != published:
        if not Path(weights).expanduser().is_file():
            choices = (
                f"give a file of {encoder.library}'s {encoder.name}, {f'{published} ' if published else ''}or {NONE}"
            )
            raise ArgumentError(f"encoder.weights={weights}", "no such file", choices)
        return Path(weights).expanduser()
    from torchvision.models import get_model_weights

    url = get_model_weights(encoder.name)["DEFAULT"].url
    path = Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
    if not path.is_file():
        reason = f"torchvision's file {path.name} is not in {path.parent}"
        raise ArgumentError(f"encoder.weights={weights}", reason, f"get {url} and put it there")
    # As torch.hub has it: the name ends in the beginning of the content's SHA-256.
    if not sha256_of(path).startswith(path.stem.rpartition("-")[2]):
        raise ArgumentError(path, "is not whole: its SHA-256 is not that in its name", f"get {url} again")
    return path


def _asked(node: Any) -> Iterator[Spec]:
    """Each encoder in a specification that is to begin with weights."""
    if isinstance(node, Mapping):
        if _is_pretrained(node) and node.get("weights", NONE) != NONE:
            yield node
        for part in node.values():
            yield from _asked(part)


def _is_pretrained(node: Mapping[str, Any]) -> bool:
    target = target_of(node) if "_target_" in node else None
    return isinstance(target, type) and issubclass(target, PretrainedEncoder)


def _read(path: Path) -> dict[str, Tensor]:
    """The tensors of a file, by name; a file of pickles may hold nothing else."""
    try:
        if path.suffix.lower() == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
        if isinstance(state, Mapping) and all(isinstance(tensor, Tensor) for tensor in state.values()):
            return dict(state)
    except (OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError, SafetensorError, zipfile.BadZipFile):
        pass  # whatever is wrong with it, the remedy is the same
    remedy = "give a .pth or .pt that holds nothing but tensors by name, or a .safetensors"
    raise ArgumentError(f"encoder.weights={path}", "is no file of weights, or not whole", remedy)


def _check_fits(encoder: PretrainedEncoder, given: Mapping[str, Tensor], path: Path) -> None:
    wanted = encoder.trunk.state_dict()
    counts = {layer for layer in wanted if layer.endswith(".num_batches_tracked")} - set(given)
    missing = [layer for layer in wanted if layer not in given and layer not in counts]
    foreign = [layer for layer in given if layer not in wanted]
    other = [layer for layer in wanted if layer in given and wanted[layer].shape != given[layer].shape]
    told = [
        f"{len(layers)} {what}, first {layers[0]}"
        for layers, what in ((missing, "missing"), (foreign, "it does not have"), (other, "of other shapes"))
        if layers
    ]
    if told:
        reason = f"holds other weights than those of {encoder.name}: {'; '.join(told)}"
        remedy = f"give the weights of {encoder.library}'s {encoder.name}"
        raise ArgumentError(f"encoder.weights={path}", reason, remedy)
