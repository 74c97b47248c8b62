"""The layers of an encoder in blocks, from what sees the input to what says the answer."""

from collections.abc import Iterator

from torch import nn

_LISTS = (nn.Sequential, nn.ModuleList)


def stages(encoder: nn.Module) -> list[list[nn.Module]]:
    """Blocks of an encoder in the order of its children: what is trained, frozen or given a rate of its own as one.

    A block begins with a convolution, or a module that holds some (a residual block, an Inception module, a dense
    block). Normalisation, activation and pooling behind it belong to it. Lists of layers are opened, and so is
    whatever an encoder wraps: another encoder, or the one trunk of a library's network.

    Each module that holds a parameter is in one block and in no other. Parameters that the encoder or its trunk holds
    itself, outside of any layer (a transformer's position embedding), are in none: count them to the first.
    """
    blocks: list[list[nn.Module]] = []
    for unit in _units(encoder):
        if not blocks or any(parameter.ndim > 1 for parameter in unit.parameters()):
            blocks.append([unit])
        else:
            blocks[-1].append(unit)
    return blocks


def _units(module: nn.Module) -> Iterator[nn.Module]:
    listed = type(module) in _LISTS
    children = list(module.children())
    weighted = [child for child in children if any(True for _ in child.parameters())]
    for child in children:
        # What holds all weights of its parent is the parent in other words, such as a library's network.
        wrapped = not listed and [child] == weighted
        opened = type(child) in _LISTS or hasattr(child, "out_dim") or wrapped
        if opened and next(child.children(), None) is not None:
            yield from _units(child)
        else:
            yield child
