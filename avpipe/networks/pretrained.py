"""Encoders made of a library's network, which may begin with published weights."""

from torch import Tensor, nn


class PretrainedEncoder(nn.Module):
    """What training must know to give such an encoder weights; nothing is read here.

    What a bundle builds has no weights to ask for: it holds all of them itself.
    """

    library: str
    """Whose network it is."""
    published: str = ""
    """What :attr:`weights` calls the library's own file; empty where it has none that is found by name."""
    name: str
    """Of the library's network."""
    weights: str
    """What training begins with: ``none``, :attr:`published`, or a file."""
    trunk: nn.Module
    """The network without its head; its tensors have the library's names."""

    def fitted(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Of the tensors of a whole network of the library, those of the trunk, in its shapes."""
        raise NotImplementedError


def first_summed(trunk: nn.Module, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Kernels of the first convolution for colours become ones for a single channel, where the trunk has one.

    Their sum answers to a grey picture as they did to its three equal colours.
    """
    first = next(name for name, module in trunk.named_modules() if isinstance(module, nn.Conv2d)) + ".weight"
    own, given = trunk.get_parameter(first), state.get(first)
    if given is None or given.ndim != 4 or own.shape[1] != 1 or given.shape[1] != 3:
        return state
    return {**state, first: given.sum(1, keepdim=True)}
