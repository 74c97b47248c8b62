"""A network in stages that learn or stand still together, from its input to its output."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from torch import nn

from avpipe.networks.stages import stages

HEAD = "head"
"""What stands behind the encoders: pooling, fusion, the head itself, and heads half-way up."""


@dataclass(frozen=True, slots=True)
class Stage:
    """What stands at one depth of a network."""

    name: str
    """As the encoder calls it, such as ``stages.2``; those of several senses, with their senses, joined by ``+``."""
    modules: tuple[nn.Module, ...]
    parameters: tuple[nn.Parameter, ...]
    """Of the modules, and what the encoder itself holds, which counts to its first stage."""

    @property
    def num_parameters(self) -> int:
        return sum(parameter.numel() for parameter in self.parameters)


def encoders_of(network: nn.Module) -> dict[str, nn.Module]:
    """A network's encoders by sense; none where it has no such thing."""
    encoders = getattr(network, "encoders", None)
    return dict(encoders.items()) if isinstance(encoders, nn.ModuleDict) else {}


def stages_of(network: nn.Module) -> list[Stage]:
    """The stages of a network from the input to the output; the last one is :data:`HEAD`.

    Encoders of several senses (:func:`avpipe.networks.stages` tells their blocks) are laid side by side, with their
    last blocks at one depth. A network without encoders is all head. Every parameter stands in exactly one stage.
    """
    encoders = encoders_of(network)
    if not encoders:
        return [Stage(HEAD, (network,), tuple(network.parameters()))]
    by_sense = [_named_blocks(encoder, f"{sense}." * (len(encoders) > 1)) for sense, encoder in encoders.items()]
    levels = []
    for level in zip_longest(*(blocks[::-1] for blocks in by_sense)):
        found = [block for block in level if block is not None]
        modules = tuple(module for _, block, _ in found for module in block)
        parameters = tuple(parameter for _, _, held in found for parameter in held)
        levels.append(Stage("+".join(name for name, _, _ in found), modules, parameters))
    above = tuple(module for name, module in network.named_children() if name != "encoders")
    return [*levels[::-1], Stage(HEAD, above, tuple(each for module in above for each in module.parameters()))]


_Block = tuple[str, Sequence[nn.Module], Sequence[nn.Parameter]]


def _named_blocks(encoder: nn.Module, prefix: str) -> list[_Block]:
    names = {module: name for name, module in encoder.named_modules()}
    blocks = stages(encoder)
    holders = [[names[unit] for unit in block if any(True for _ in unit.parameters())] for block in blocks]
    held = [[each for unit in block for each in unit.parameters()] for block in blocks]
    known = {each for parameters in held for each in parameters}
    held[0] = [each for each in encoder.parameters() if each not in known] + held[0]
    found = zip((_name(place, holders) for place in range(len(blocks))), blocks, held, strict=True)
    return [(prefix + name, block, parameters) for name, block, parameters in found]


def _name(place: int, holders: Sequence[Sequence[str]]) -> str:
    """What the layers of a block have in common in their names, if no other block has it too; or the first's name."""
    parts = [name.split(".") for name in holders[place]]
    shared = 0
    while all(len(each) > shared and each[shared] == parts[0][shared] for each in parts):
        shared += 1
    common = ".".join(parts[0][:shared])
    others = (name for other, names in enumerate(holders) if other != place for name in names)
    return common if common and not any(f"{name}.".startswith(f"{common}.") for name in others) else holders[place][0]
