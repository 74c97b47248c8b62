"""Weights to begin with, taken from a bundle of another training: by name and by what each module is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from avpipe.bundle import Bundle, find_bundle, load_bundle, read_specs
from avpipe.config import Spec
from avpipe.errors import ArgumentError
from avpipe.networks import Ensemble, encoders_of
from avpipe.objectives import Objective

_WITHOUT_EFFECT = (nn.modules.dropout._DropoutNd,)
"""Their settings change nothing of what weights mean."""


@dataclass(slots=True)
class Beginning:
    """What a network to be trained took from a bundle, part by part."""

    bundle: str
    taken: list[str] = field(default_factory=list)
    new: dict[str, str] = field(default_factory=dict)
    """Each with the reason."""
    warnings: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        new = ", ".join(f"{part} ({reason})" for part, reason in self.new.items())
        return f"init_from={self.bundle}: taken: {', '.join(self.taken) or 'nothing'}; new: {new or 'nothing'}"

    @property
    def told(self) -> dict[str, Any]:
        """As plain data."""
        return {"bundle": self.bundle, "taken": self.taken, "new": self.new}


def begin_with(network: nn.Module, objective: Objective, name: str, label: str, preprocessor: Spec) -> Beginning:
    """Give a network what it has in common with a bundle's.

    A part is taken whole or not at all: every module in it must have the same name, class, settings and shapes in both.
    An encoder that differs is refused, since whoever names a bundle wants its encoder. The head is taken where it says
    the same labels of the same kind, row by row by their names, and what it is given is taken too.

    Args:
        network: to be trained.
        objective: to be trained with.
        name: the bundle's folder, or the name of one that ships.
        label: what of a corpus is said, such as ``emotion``.
        preprocessor: the specification of the features.

    Raises:
        AvpipeError: there is no such bundle, or it is damaged.
        ArgumentError: it has no encoder for the same sense, or another one for it.
    """
    folder = find_bundle(name)
    bundle = load_bundle(folder)
    found = Beginning(name)
    if isinstance(bundle.network, Ensemble):
        reason = "is a bundle of several networks"
        raise ArgumentError(f"init_from={name}", reason, "give that of one fold or seed, runs/.../fold-1/bundle")
    own, given = encoders_of(network), encoders_of(bundle.network)
    if not own or not given:
        if difference := first_difference(network, bundle.network):
            reason = f"its network differs from the one to be trained, first in {difference}"
            raise ArgumentError(f"init_from={name}", reason, "give a bundle of the same network")
        _take(network, bundle.network, "network", found)
        return found
    _take_encoders(own, given, found)
    same_vectors = _take_between(network, bundle.network, found) and set(own) == set(given)
    reason = _head_differs(network, objective, label, bundle) if same_vectors else "other vectors reach it"
    if reason:
        found.new["head"] = reason
    else:
        _take_head(network, objective, bundle, found)
    if any(True for _ in objective.parameters()):
        found.new["objective"] = "begins anew with each training"
    found.warnings = _other_features(read_specs(folder)["preprocessor"], preprocessor, name)
    return found


def first_difference(own: nn.Module, given: nn.Module) -> str | None:
    """The first module that two networks do not have in common, by name, class, settings and shapes; None: all are."""
    mine, others = dict(own.named_modules()), dict(given.named_modules())
    for name in {**mine, **others}:
        if name not in mine or name not in others or _identity(mine[name]) != _identity(others[name]):
            return name or type(own).__name__
    return None


def _identity(module: nn.Module) -> tuple[object, ...]:
    settings = "" if isinstance(module, _WITHOUT_EFFECT) else module.extra_repr()
    tensors = (*module.named_parameters(recurse=False), *module.named_buffers(recurse=False))
    return type(module), settings, tuple((name, tuple(tensor.shape)) for name, tensor in tensors)


def _take_encoders(own: Mapping[str, nn.Module], given: Mapping[str, nn.Module], found: Beginning) -> None:
    shared = [sense for sense in own if sense in given]
    if not shared:
        reason = f"its network takes {' and '.join(given)}, and the one to be trained {' and '.join(own)}"
        raise ArgumentError(f"init_from={found.bundle}", reason, "give a bundle of the same sense")
    for sense in shared:
        if difference := first_difference(own[sense], given[sense]):
            reason = f"its encoder differs from the one to be trained, first in encoders.{sense}.{difference}"
            raise ArgumentError(f"init_from={found.bundle}", reason, "give the encoder that it was trained with")
    for sense, encoder in own.items():
        if sense in given:
            _take(encoder, given[sense], f"encoders.{sense}", found)
        else:
            found.new[f"encoders.{sense}"] = "the bundle does not have this sense"


def _take_between(network: nn.Module, given: nn.Module, found: Beginning) -> bool:
    """Pooling and fusion, of each sense where they have parts by sense; returns whether all are the same."""
    same = True
    for name, part in network.named_children():
        if name in ("encoders", "head"):
            continue
        if name == "auxiliary":  # heads half-way up, which no bundle has
            found.new.update({name: "no bundle has it"} if part.state_dict() else {})
            continue
        other = getattr(given, name, nn.Module())
        if isinstance(part, nn.ModuleDict) and isinstance(other, nn.ModuleDict):
            pairs = {f"{name}.{key}": (each, dict(other.items()).get(key)) for key, each in part.items()}
        else:
            pairs = {name: (part, other)}
        for place, (mine, theirs) in pairs.items():
            if theirs is not None and first_difference(mine, theirs) is None:
                _take(mine, theirs, place, found)
                continue
            same = False
            if mine.state_dict():
                found.new[place] = "the bundle has another"
    return same


def _take(own: nn.Module, given: nn.Module, name: str, found: Beginning) -> None:
    if state := given.state_dict():
        own.load_state_dict(state)
        found.taken.append(name)


def _head_differs(network: nn.Module, objective: Objective, label: str, given: Bundle) -> str:
    """Why the head is new; empty: it says the same."""
    mine, theirs = _names(objective), _names(given.objective)
    if type(objective) is not type(given.objective):
        return "it is to say something else"
    if label != given.origin.label and mine is not None:
        return f"it is to say {label}, and the bundle's says {given.origin.label}"
    if mine is not None and theirs is not None and set(mine) != set(theirs):
        both = len(set(mine) & set(theirs))
        return f"it is to tell {len(mine)} labels apart, and the bundle's {len(theirs)}, {both} of them the same"
    head, other = getattr(network, "head", None), getattr(given.network, "head", None)
    if head is None or other is None or first_difference(head, other) is not None:
        return "the bundle has another"
    if mine != theirs and not isinstance(head, nn.Linear):
        return "its units stand in another order"
    return ""


def _names(objective: Objective) -> tuple[str, ...] | None:
    """What stands for the outputs, in their order; None: they have no names."""
    names = getattr(objective, "labels", None)
    return getattr(objective, "units", None) if names is None else names


def _take_head(network: nn.Module, objective: Objective, given: Bundle, found: Beginning) -> None:
    head, other = network.get_submodule("head"), given.network.get_submodule("head")
    state, mine, theirs = other.state_dict(), _names(objective), _names(given.objective)
    if mine is not None and theirs is not None and mine != theirs:
        rows = [theirs.index(name) for name in mine]
        state = {name: tensor[rows] for name, tensor in state.items()}
    head.load_state_dict(state)
    found.taken.append("head")


def _other_features(given: Spec, own: Spec, name: str) -> list[str]:
    """A line where the taken layers will be given other features than they learned from."""
    there, here = dict(_flat(given)), dict(_flat(own))
    differing = [key for key in {**there, **here} if there.get(key) != here.get(key) and key not in _WINDOWS]
    if not differing:
        return []
    shown = ", ".join(f"{key} {there.get(key)} there and {here.get(key)} here" for key in differing[:3])
    more = f" and {len(differing) - 3} more" * (len(differing) > 3)
    return [f"init_from={name}: its layers learned from other features: {shown}{more}"]


_WINDOWS = ("window_sec", "hop_sec", "audio.trim_db")
"""How long windows are, and where they are cut, changes no single feature."""


def _flat(spec: Spec, prefix: str = "") -> list[tuple[str, object]]:
    rows: list[tuple[str, object]] = []
    for key, value in spec.items():
        rows += _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else [(prefix + key, value)]
    return rows
