"""A network in layers that learn or stand still together, from its input to its output."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest

from torch import nn

HEAD = "head"
"""What stands behind the encoders: pooling, fusion and the head itself."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One or more modules at one depth."""

    name: str
    """As the encoder calls it, such as ``stages.2``; those of several senses, with their senses, joined by ``+``."""
    modules: tuple[nn.Module, ...]

    @property
    def num_parameters(self) -> int:
        return sum(parameter.numel() for module in self.modules for parameter in module.parameters())


def stages_of(network: nn.Module) -> list[Stage]:
    """The stages of a network from the input to the output; the last one is :data:`HEAD`.

    Encoders of several senses are laid side by side, with their last stages at one depth. A network without encoders is
    all head. Every parameter stands in exactly one stage.
    """
    encoders = getattr(network, "encoders", None)
    if not isinstance(encoders, nn.ModuleDict) or not len(encoders):
        return [Stage(HEAD, (network,))]
    by_sense = [
        [(f"{sense}." * (len(encoders) > 1) + name, module) for name, module in _blocks(encoder)][::-1]
        for sense, encoder in encoders.items()
    ]
    depths = [[block for block in level if block is not None] for level in zip_longest(*by_sense)]
    levels = [Stage("+".join(name for name, _ in level), tuple(module for _, module in level)) for level in depths]
    above = tuple(module for name, module in network.named_children() if name != "encoders")
    return [*levels[::-1], Stage(HEAD, above)]


def _blocks(encoder: nn.Module, prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
    """The parts of an encoder that hold weights, in the order in which they were made; lists of blocks one by one."""
    children = [(name, child) for name, child in encoder.named_children() if any(True for _ in child.parameters())]
    if any(True for _ in encoder.parameters(recurse=False)) or not children:
        yield prefix.rstrip(".") or "encoder", encoder  # it has weights of its own, which no child would carry
        return
    for name, child in children:
        if _is_list_of_blocks(child) or hasattr(child, "out_dim"):
            yield from _blocks(child, f"{prefix}{name}.")
        else:
            yield prefix + name, child


def _is_list_of_blocks(module: nn.Module) -> bool:
    """Whether it only holds others that are made of several layers themselves: a stem of layers is one block."""
    if not isinstance(module, nn.ModuleList | nn.Sequential):
        return False
    weighty = [child for child in module if any(True for _ in child.parameters())]
    return all(any(True for _ in child.children()) for child in weighty)
