"""What of the input each value of a network depends on, followed from operation to operation."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from torch import Size, Tensor

Factor = tuple[str | None, int]
"""An axis of the input, or None, and how many places of it."""


@dataclass(frozen=True, slots=True)
class Field:
    """What values depend on along one axis of the input: value ``i`` on ``first + i * step`` to ``last + i * step``."""

    first: Fraction = Fraction(0)
    last: Fraction = Fraction(0)
    step: Fraction = Fraction(1)
    """From what one value sees to what the next one sees."""
    is_global: bool = False
    """Some path besides sees all of the axis: a mean over it, a squeeze-and-excitation, attention."""

    @property
    def places(self) -> int:
        """How many places of the axis one value sees, through layers that see a stretch, along the longest path."""
        return math.ceil(self.last - self.first) + 1

    def joined(self, other: "Field") -> "Field":
        is_global = self.is_global or other.is_global
        return Field(min(self.first, other.first), max(self.last, other.last), max(self.step, other.step), is_global)

    def moved(self, places: int) -> "Field":
        """Of values whose number 0 was number ``places``."""
        way = places * self.step
        return replace(self, first=self.first + way, last=self.last + way)

    def behind(self, kernel: int, stride: Fraction | int, padding: int = 0, dilation: int = 1) -> "Field":
        """Of a layer that slides over values with this field."""
        moved = self.moved(-padding)
        return replace(moved, last=moved.last + (kernel - 1) * dilation * self.step, step=self.step * stride)

    def spread(self, kernel: int, stride: int, padding: int, dilation: int) -> "Field":
        """Of a transposed convolution: each value comes of so many of the input's, which are so many times apart."""
        moved = self.moved(padding // stride)
        seen = -(-((kernel - 1) * dilation + 1) // stride)
        return replace(moved, first=moved.first - (seen - 1) * self.step, step=self.step / stride)


@dataclass(frozen=True, slots=True)
class Traced:
    """A tensor's dimensions, each with the axes of the input that lie along it, and its values' fields by axis."""

    dims: tuple[tuple[Factor, ...], ...]
    fields: dict[str, Field]

    def axis(self, dim: int) -> str | None:
        """The one axis along a dimension."""
        named = [axis for axis, _ in self.dims[dim] if axis is not None]
        return named[0] if len(named) == 1 else None

    def with_global(self, dims: Sequence[int]) -> "Traced":
        """The same where each value sees all along some dimensions."""
        seen = {axis for dim in dims for axis, _ in self.dims[dim] if axis is not None}
        return replace(self, fields={a: replace(f, is_global=f.is_global or a in seen) for a, f in self.fields.items()})

    def along(self, dim: int, change: Callable[[Field], Field]) -> "Traced":
        """The same where the field along a dimension becomes another; of several axes there, each is seen whole."""
        axis = self.axis(dim)
        if axis is None:
            return self.with_global([dim])
        return replace(self, fields={**self.fields, axis: change(self.fields[axis])})

    def shaped(self, shape: Sequence[int]) -> "Traced":
        """With the sizes that its dimensions have by now."""
        dims = []
        for dim, size in enumerate(shape):
            if math.prod(places for _, places in self.dims[dim]) == size:
                dims.append(self.dims[dim])
            else:
                dims.append(((self.axis(dim), size),))
        return replace(self, dims=tuple(dims))


def of_input(shape: Sequence[int], axes: Sequence[str | None]) -> Traced:
    """An input whose dimensions are axes by name, or none."""
    fields = {axis: Field() for axis in axes if axis is not None}
    return Traced(tuple(((axis, size),) for axis, size in zip(axes, shape, strict=True)), fields)


def after(name: str, arguments: Sequence[Any], given: Sequence[Traced | None], shape: Size) -> Traced | None:
    """What came of an operation.

    Args:
        name: of the operation in torch's ``aten``, without its overload.
        arguments: of the call.
        given: for each tensor among the arguments (lists opened), what is known of it; None: it is no part of the
            input, such as a weight.
        shape: of the outcome.
    """
    known = [each for each in given if each is not None]
    if not known:
        return None
    first = known[0]
    if (rule := _RULES.get(name)) is not None and given[0] is not None:
        return _sized(rule(first, arguments), shape)
    if name in ("cat", "stack", "mm", "addmm", "bmm", "baddbmm") or "scaled_dot_product" in name:
        return _sized(_joining(name, arguments, given, shape), shape)
    if all(len(each.dims) <= len(shape) for each in known) and any(_spans(each, shape) for each in known):
        return _broadcast(known, shape)
    return _regrouped(replace(first, fields=_joined(known)), shape)


def _joined(known: Sequence[Traced]) -> dict[str, Field]:
    fields: dict[str, Field] = {}
    for each in known:
        for axis, field in each.fields.items():
            fields[axis] = fields[axis].joined(field) if axis in fields else field
    return fields


def _spans(traced: Traced, shape: Sequence[int]) -> bool:
    sizes = [math.prod(places for _, places in dim) for dim in traced.dims]
    return len(sizes) <= len(shape) and all(a in (1, b) for a, b in zip(sizes[::-1], shape[::-1], strict=False))


def _broadcast(known: Sequence[Traced], shape: Sequence[int]) -> Traced:
    """Value by value, dimensions aligned at their ends."""
    dims: list[tuple[Factor, ...]] = []
    for back in range(-len(shape), 0):
        along = [each.dims[back] for each in known if len(each.dims) >= -back]
        fitting = [dim for dim in along if math.prod(places for _, places in dim) == shape[back]]
        named = [dim for dim in fitting if any(axis is not None for axis, _ in dim)]
        dims.append(next(iter([*named, *fitting]), ((None, shape[back]),)))
    return Traced(tuple(dims), _joined(known))


def _regrouped(traced: Traced, shape: Sequence[int]) -> Traced:
    """The same values under other dimensions, as of a reshape; an axis that is cut up is no axis any more."""
    rest = [factor for dim in traced.dims for factor in dim if factor[1] != 1]
    dims: list[tuple[Factor, ...]] = []
    for size in shape:
        taken: list[Factor] = []
        lacking = size
        while rest and lacking > 1:
            axis, places = rest.pop(0)
            if lacking % places == 0:
                taken.append((axis, places))
                lacking //= places
            else:
                if places % lacking == 0:
                    rest.insert(0, (None, places // lacking))
                taken.append((None, lacking))
                lacking = 1
        dims.append(tuple(taken) if lacking == 1 and taken else ((None, size),))
    return replace(traced, dims=tuple(dims))


def _sized(traced: Traced, shape: Sequence[int]) -> Traced:
    return traced.shaped(shape) if len(traced.dims) == len(shape) else _regrouped(traced, shape)


def _joining(name: str, arguments: Sequence[Any], given: Sequence[Traced | None], shape: Size) -> Traced:
    """Operations on several tensors that are not value by value."""
    known = [each for each in given if each is not None]
    fields = _joined(known)
    if name == "cat":
        return _in_line(arguments[0], given, (arguments[1] if len(arguments) > 1 else 0) % len(shape))
    if name == "stack":
        dim = arguments[1] if len(arguments) > 1 else 0
        dims = list(known[0].dims)
        dims.insert(dim % len(shape), ((None, shape[dim]),))
        return Traced(tuple(dims), fields)
    if "scaled_dot_product" in name:
        return replace(known[0], fields=fields).with_global([-2])
    left, right = given[-2:]
    # The last dimension of what stands left, and the last but one of what stands right, are summed over.
    for each, summed in ((left, -1), (right, -2)):
        if each is not None:
            fields = {axis: fields[axis].joined(field) for axis, field in each.with_global([summed]).fields.items()} | {
                axis: field for axis, field in fields.items() if axis not in each.fields
            }
    rows = left.dims[:-1] if left is not None else tuple(((None, size),) for size in shape[:-1])
    columns = right.dims[-1] if right is not None else ((None, shape[-1]),)
    return Traced((*rows, columns), fields)


def _in_line(tensors: Sequence[Tensor], given: Sequence[Traced | None], dim: int) -> Traced:
    """Along an axis the longest of what stands in line counts: what is set before it moves it, as padding would."""
    known = [each for each in given if each is not None]
    named = [each for each in known if each.axis(dim) is not None]
    if len({each.axis(dim) for each in named}) != 1 or any(len(each.dims[dim]) > 1 for each in named):
        # Vectors side by side, though bands may have become parts of them: no axis is any longer than it was.
        size = sum(tensor.shape[dim] for tensor in tensors)
        dims = tuple(((None, size),) if place == dim else each for place, each in enumerate(known[0].dims))
        return Traced(dims, _joined(known))
    begins, moved, longest = 0, [], max(_length(each, dim) for each in named)
    for tensor, each in zip(tensors, given, strict=True):
        if each is not None and _length(each, dim) == longest:
            moved.append(each.along(dim, lambda field, begins=begins: field.moved(-begins)))  # type: ignore[misc]
        begins += tensor.shape[dim]
    return Traced(named[0].dims, _joined(moved))


def _length(traced: Traced, dim: int) -> int:
    return math.prod(places for _, places in traced.dims[dim])


def _convolved(traced: Traced, arguments: Sequence[Any]) -> Traced:
    weight, strides, paddings, dilations, transposed = (arguments[place] for place in (1, 3, 4, 5, 6))
    result = traced.with_global([1])
    result = replace(result, dims=(result.dims[0], ((None, 1),), *result.dims[2:]))
    for dim, one in enumerate(zip(weight.shape[2:], strides, paddings, dilations, strict=True), start=2):
        if result.axis(dim) is not None or one[0] > 1:
            result = result.along(dim, lambda f, one=one: f.spread(*one) if transposed else f.behind(*one))  # type: ignore[misc]
    return result


def _pooled(traced: Traced, arguments: Sequence[Any]) -> Traced:
    kernels = arguments[1]
    strides = arguments[2] if len(arguments) > 2 and arguments[2] else kernels
    paddings = arguments[3] if len(arguments) > 3 else [0] * len(kernels)
    dilations = arguments[4] if len(arguments) > 4 and isinstance(arguments[4], list) else [1] * len(kernels)
    first_dim = len(traced.dims) - len(kernels)
    for dim, one in enumerate(zip(kernels, strides, paddings, dilations, strict=True), start=first_dim):
        traced = traced.along(dim, lambda field, one=one: field.behind(*one))  # type: ignore[misc]
    return traced


def _sliced(traced: Traced, arguments: Sequence[Any]) -> Traced:
    dim = (arguments[1] if len(arguments) > 1 else 0) % len(traced.dims)
    begin = (arguments[2] if len(arguments) > 2 else 0) or 0
    begin = begin if begin >= 0 else max(0, _length(traced, dim) + begin)
    stride = arguments[4] if len(arguments) > 4 else 1
    if traced.axis(dim) is None:
        return traced
    return traced.along(dim, lambda field: replace(field.moved(begin), step=field.step * stride))


def _padded(traced: Traced, arguments: Sequence[Any]) -> Traced:
    for place, before in enumerate(arguments[1][::2]):
        dim = len(traced.dims) - 1 - place
        if traced.axis(dim) is not None:
            traced = traced.along(dim, lambda field, before=before: field.moved(-before))  # type: ignore[misc]
    return traced


def _adaptively_pooled(traced: Traced, arguments: Sequence[Any]) -> Traced:
    """Windows of one size or nearly so, as many as are asked for."""
    sizes = arguments[1]
    for back, size in enumerate(sizes):
        dim = len(traced.dims) - len(sizes) + back
        places = math.prod(each for _, each in traced.dims[dim])
        if size == 1 and places > 1:
            traced = traced.with_global([dim])
        elif size != places:
            widest = max(-(-(each + 1) * places // size) - each * places // size for each in range(size))
            ratio = Fraction(places, size)
            traced = traced.along(dim, lambda f, kernel=widest, stride=ratio: f.behind(kernel, stride))  # type: ignore[misc]
    return traced


def _dims_of(argument: Any, count: int) -> list[int]:
    dims = [argument] if isinstance(argument, int) else list(argument or range(count))
    return [dim % count for dim in dims]


def _reduced(traced: Traced, arguments: Sequence[Any]) -> Traced:
    dims = _dims_of(arguments[1] if len(arguments) > 1 else None, len(traced.dims))
    kept = len(arguments) > 2 and arguments[2] is True
    result = traced.with_global(dims)
    left = [((None, 1),) if dim in dims else each for dim, each in enumerate(result.dims)]
    if not kept:
        left = [each for dim, each in enumerate(left) if dim not in dims]
    return replace(result, dims=tuple(left))


def _along(traced: Traced, arguments: Sequence[Any]) -> Traced:
    return traced.with_global([arguments[1] % len(traced.dims)])


def _normalised(traced: Traced, arguments: Sequence[Any]) -> Traced:
    return traced.with_global(range(len(traced.dims) - len(arguments[1]), len(traced.dims)))


def _in_groups(traced: Traced, arguments: Sequence[Any]) -> Traced:
    return traced.with_global(range(1, len(traced.dims)))


def _swapped(traced: Traced, arguments: Sequence[Any]) -> Traced:
    dims = list(traced.dims)
    one, other = arguments[1:3] if len(arguments) > 2 else (0, 1)
    dims[one], dims[other] = dims[other], dims[one]
    return replace(traced, dims=tuple(dims))


def _permuted(traced: Traced, arguments: Sequence[Any]) -> Traced:
    return replace(traced, dims=tuple(traced.dims[dim] for dim in arguments[1]))


def _unsqueezed(traced: Traced, arguments: Sequence[Any]) -> Traced:
    dims = list(traced.dims)
    dims.insert(arguments[1] % (len(dims) + 1), ((None, 1),))
    return replace(traced, dims=tuple(dims))


def _without(traced: Traced, arguments: Sequence[Any]) -> Traced:
    dim = (arguments[1] if len(arguments) > 1 else 0) % len(traced.dims)
    return replace(traced, dims=tuple(each for place, each in enumerate(traced.dims) if place != dim))


def _same(traced: Traced, arguments: Sequence[Any]) -> Traced:
    return traced


_RULES: dict[str, Callable[[Traced, Sequence[Any]], Traced]] = {
    "convolution": _convolved,
    **{f"{kind}_pool{n}d{end}": _pooled for kind, end in (("max", "_with_indices"), ("avg", "")) for n in (2, 3)},
    **{f"_adaptive_avg_pool{n}d": _adaptively_pooled for n in (2, 3)},
    **dict.fromkeys(("mean", "sum", "var", "amax", "amin", "max", "min", "logsumexp"), _reduced),
    **dict.fromkeys(("_softmax", "_log_softmax", "cumsum"), _along),
    "native_layer_norm": _normalised,
    "native_group_norm": _in_groups,
    **dict.fromkeys(("transpose", "t"), _swapped),
    "permute": _permuted,
    "unsqueeze": _unsqueezed,
    **dict.fromkeys(("select", "unbind"), _without),
    "slice": _sliced,
    "constant_pad_nd": _padded,
    **dict.fromkeys(("split", "split_with_sizes", "flip"), _same),
}


def is_reduction(name: str) -> bool:
    """Whether an operation sees all of a dimension and leaves one value."""
    return _RULES.get(name) is _reduced or name.startswith("_adaptive")


def tensors_of(arguments: Sequence[Any]) -> list[Tensor]:
    """The tensors among an operation's arguments, lists opened."""
    found: list[Tensor] = []
    for argument in arguments:
        found += tensors_of(argument) if isinstance(argument, list | tuple) else []
        found += [argument] if isinstance(argument, Tensor) else []
    return found
