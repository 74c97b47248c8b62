"""How a bundle's network computes: on which device, with which numbers, and whether compiled."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from avpipe.bundle import Bundle, find_bundle, load_bundle
from avpipe.device import PRECISIONS, check_compiler, choose_device
from avpipe.errors import ArgumentError


def load_for(name: str, device: Mapping[str, Any]) -> Bundle:
    """Load a bundle to compute as the settings of a device ask.

    Args:
        name: of a bundle's folder, or of one that ships.
        device: ``name``, ``precision`` and ``compile``, as in ``conf/device``.

    Raises:
        ArgumentError: no such bundle, device or precision, or no compiler.
        BundleError: as of :func:`avpipe.bundle.load_bundle`.
    """
    where = choose_device(device["name"])
    if device["precision"] not in PRECISIONS:
        reason = "is none of the precisions of an answer"
        raise ArgumentError(f"device.precision={device['precision']}", reason, f"choose from: {', '.join(PRECISIONS)}")
    if device["compile"]:
        check_compiler(where)
    bundle = load_bundle(find_bundle(name), where)
    if where.type == "cuda":
        torch.backends.cudnn.allow_tf32 = device["precision"] != "32-true"  # which torch allows, at 19 bits
        _to_channels_last(bundle.network)
    if device["compile"]:
        bundle.network.compile()
    return replace(bundle, precision=device["precision"])


def _to_channels_last(network: nn.Module) -> None:
    """Weights of 2D convolutions in the layout that a GPU's matrix units read; networks lay pictures out likewise."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.weight.data = module.weight.data.contiguous(memory_format=torch.channels_last)
