"""Weights to begin with."""

from torch import nn

from avpipe.bundle import find_bundle, load_bundle
from avpipe.errors import ArgumentError


def begin_with(network: nn.Module, name: str) -> None:
    """Give a network the weights of a bundle's, all of them.

    Args:
        network: to be trained.
        name: the bundle's folder, or the name of one that ships.

    Raises:
        AvpipeError: there is no such bundle, or it is damaged.
        ArgumentError: it has other layers; nothing is left out in silence.
    """
    own, given = network.state_dict(), load_bundle(find_bundle(name)).network.state_dict()
    shapes = [{layer: tensor.shape for layer, tensor in state.items()} for state in (own, given)]
    if shapes[0] != shapes[1]:
        differing = next(layer for layer in {**own, **given} if shapes[0].get(layer) != shapes[1].get(layer))
        reason = f"its network differs from the one to be trained, first in {differing}"
        raise ArgumentError(f"init_from={name}", reason, "give the encoder and the labels that it was trained with")
    network.load_state_dict(given)
