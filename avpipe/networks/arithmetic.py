"""What each layer of a network costs, and what it sees."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.weak import WeakTensorKeyDictionary

from avpipe.features import Features
from avpipe.networks.receptive_field import Field, Traced, after, is_reduction, of_input, tensors_of

AXES = {
    "audio": (None, None, "frequency", "time"),
    "video": (None, None, "time", "height", "width"),
    "waveform": (None, None, "time"),
}
"""What lies along the dimensions of each sense's features; time is in their steps (frames, samples)."""


@dataclass(slots=True)
class Layer:
    """A layer as it was called, or an operation between layers; sizes are of one item."""

    name: str
    kind: str
    output: tuple[int, ...] = ()
    """Without the batch axis."""
    parameters: int = 0
    """A layer that is called again has none of its own."""
    multiply_adds: int = 0
    """Of convolutions, linear layers and products of matrices; what else there is costs little beside them."""
    kernel: tuple[int, ...] = ()
    stride: tuple[int, ...] = ()
    padding: tuple[int, ...] = ()
    dilation: tuple[int, ...] = ()
    fields: dict[str, Field] = field(default_factory=dict)
    """By axis of the input, what a value of the output depends on."""
    activation_bytes: int = 0
    """Of the output in 32 bits; nothing where it is written over the input."""


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """All layers in the order of their calls, and their sums."""

    layers: tuple[Layer, ...]
    parameters: int
    """Of all layers that were called."""
    training_only: int
    """Parameters of layers that were not: heads that inference does without."""
    multiply_adds: int
    activation_bytes: int
    counted_flops: int
    """By ``torch.utils.flop_counter``, which counts a multiplication and an addition as two."""
    encoders: dict[str, Layer]
    """What each encoder says, by sense."""


def layer_arithmetic(network: nn.Module, features: Features, lengths: dict[str, Tensor]) -> Arithmetic:
    """Call a network in eval mode and account for all that it did; its mode stays.

    An output has ``floor((n + 2 * padding - field) / stride) + 1`` places an axis, a convolution
    ``(field * field * channels + 1) * kernels`` parameters, a layer's receptive field is ``r + (field - 1) * step``
    along the longest path, where ``r`` and ``step`` are those of what it is given.

    Shape:
        features: (1, ...) a sense; lengths: (1,) a sense.

    Reference:
        A. Araujo, W. Norris, J. Sim, "Computing Receptive Fields of Convolutional Neural Networks", Distill, 2019.
    """
    inputs = [(value, _axes_of(sense, len(features) > 1)) for sense, value in features.items()]
    return account(network, (features, lengths), inputs)


def _axes_of(sense: str, among_others: bool) -> tuple[str | None, ...]:
    """Of several senses each has axes of its own: what lies along ``audio time`` does not along ``video time``."""
    return tuple(f"{sense} {axis}" if axis and among_others else axis for axis in AXES[sense])


def account(
    network: nn.Module, arguments: Sequence[Any], inputs: Sequence[tuple[Tensor, Sequence[str | None]]] | Any
) -> Arithmetic:
    """:func:`layer_arithmetic` of any module.

    Args:
        network: to be called.
        arguments: to call it with.
        inputs: the tensors among the arguments that are to be followed, each with its axes' names.
    """
    training = network.training
    network.eval()
    watch = _Watch(network)
    for value, axes in inputs:
        watch.traced[value] = of_input(value.shape, axes)
    try:
        # Which loads a compiler, where there is one, that only counting waits for.
        from torch.utils.flop_counter import FlopCounterMode

        with torch.no_grad(), FlopCounterMode(display=False) as counter, watch:
            network(*arguments)
    finally:
        watch.leave()
        network.train(training)
    layers = tuple(watch.layers)
    parameters = sum(layer.parameters for layer in layers)
    return Arithmetic(
        layers,
        parameters,
        sum(parameter.numel() for parameter in network.parameters()) - parameters,
        sum(layer.multiply_adds for layer in layers),
        sum(layer.activation_bytes for layer in layers),
        counter.get_total_flops(),
        watch.encoders,
    )


def folded(layers: Sequence[Layer]) -> list[Layer]:
    """The same sums in fewer rows: normalisation, activation and what else changes no size with the layer before."""
    rows: list[Layer] = []
    for layer in layers:
        if not rows or layer.kernel or layer.multiply_adds or layer.output != rows[-1].output:
            rows.append(replace(layer))
        else:
            last = rows[-1]
            last.kind = f"{last.kind}, {layer.kind}"
            last.parameters += layer.parameters
            last.activation_bytes += layer.activation_bytes
            last.fields = layer.fields
    return rows


class _Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Sees every operation, and by hooks which layer it belongs to."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.traced: Any = WeakTensorKeyDictionary()
        self.layers: list[Layer] = []
        self.encoders: dict[str, Layer] = {}
        self.open: list[tuple[nn.Module, Layer]] = []
        """The layers that are being called, the innermost last."""
        self.counted: set[nn.Parameter] = set()
        self.handles = []
        for name, module in network.named_modules():
            self.handles.append(module.register_forward_pre_hook(self._enter(name)))
            self.handles.append(module.register_forward_hook(self._end))

    def leave(self) -> None:
        """Take the hooks away."""
        for handle in self.handles:
            handle.remove()

    def _enter(self, name: str) -> Any:
        def enter(module: nn.Module, arguments: Any) -> None:
            self.open.append((module, Layer(name, type(module).__name__)))

        return enter

    def _end(self, module: nn.Module, arguments: Any, outcome: Any) -> None:
        _, layer = self.open.pop()
        own = [each for each in module.parameters(recurse=False) if each not in self.counted]
        self.counted.update(own)
        layer.parameters = sum(each.numel() for each in own)
        outputs = tensors_of([outcome])
        if outputs:
            self._tell(layer, outputs[0], tensors_of(arguments))
        if own or (_is_leaf(module) and outputs and not isinstance(module, nn.Identity | nn.Dropout)):
            self.layers.append(layer)
        place, _, sense = layer.name.rpartition(".")
        if place == "encoders" or place.endswith(".encoders"):
            self.encoders[sense] = layer

    def _tell(self, layer: Layer, output: Tensor, given: Sequence[Tensor]) -> None:
        layer.output = tuple(output.shape[1:])
        traced: Traced | None = self.traced.get(output)
        layer.fields = traced.fields if traced is not None else {}
        places = {each.untyped_storage().data_ptr() for each in given}
        in_place = output.untyped_storage().data_ptr() in places
        layer.activation_bytes = 0 if in_place else output.numel() * 4

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        outcome = func(*args, **(kwargs or {}))
        name = func._schema.name.partition("::")[2].removesuffix("_")
        given = [self.traced.get(each) for each in tensors_of(args)]
        outputs = tensors_of([outcome])
        for output in outputs:
            if (traced := after(name, args, given, output.shape)) is not None:
                self.traced[output] = traced
        if outputs:
            self._count(name, args, given, outputs[0])
        return outcome

    def _count(self, name: str, args: Sequence[Any], given: Sequence[Any], output: Tensor) -> None:
        """Put an operation down to the innermost layer, or to a row of its own where that layer has layers itself."""
        if not self.open:
            return
        cost = _multiply_adds(name, args, output)
        slides = name == "convolution" or "_pool" in name
        module, layer = self.open[-1]
        if not _is_leaf(module):
            reduces = is_reduction(name) and bool(given) and given[0] is not None and bool(given[0].fields)
            if not (cost or slides or reduces):
                return
            kind = name.strip("_")
            layer = Layer(f"{layer.name}.{kind}".lstrip("."), kind)
            self._tell(layer, output, [])
            self.layers.append(layer)
        layer.multiply_adds += cost
        if slides and not name.startswith("_adaptive"):
            layer.kernel, layer.stride, layer.padding, layer.dilation = _geometry(name, args)


def _is_leaf(module: nn.Module) -> bool:
    return next(module.children(), None) is None


def _geometry(name: str, args: Sequence[Any]) -> tuple[tuple[int, ...], ...]:
    """Kernel, stride, padding, dilation."""
    if name == "convolution":
        return tuple(args[1].shape[2:]), tuple(args[3]), tuple(args[4]), tuple(args[5])
    kernel = tuple(args[1])
    stride = tuple(args[2]) if len(args) > 2 and args[2] else kernel
    padding = tuple(args[3]) if len(args) > 3 else (0,) * len(kernel)
    dilation = tuple(args[4]) if len(args) > 4 and isinstance(args[4], list) else (1,) * len(kernel)
    return kernel, stride, padding, dilation


def _multiply_adds(name: str, args: Sequence[Any], output: Tensor) -> int:
    if name == "convolution":
        given, weight, transposed = args[0], args[1], args[6]
        # Each place (of the input where it spreads, else of the output) meets each weight once.
        places = given if transposed else output
        return places.shape[0] * prod(places.shape[2:]) * weight.numel()
    if name in ("mm", "bmm"):
        return output.numel() * args[0].shape[-1]
    if name in ("addmm", "baddbmm"):
        return output.numel() * args[1].shape[-1]
    if "scaled_dot_product" in name:
        query, key, value = args[:3]
        return prod(query.shape[:-1]) * key.shape[-2] * (query.shape[-1] + value.shape[-1])
    return 0
