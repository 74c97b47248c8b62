"""A bundle: all that inference needs, and the proof that it still does what it did when it was saved.

A folder of plain data: ``bundle.json`` (preprocessing, network, objective, labels, origin, and the SHA-256 of the other
files and of its own content), ``model.safetensors`` (weights), ``golden.safetensors`` (an input with the features and
the output it had), ``card.md`` (for people). Loading runs no code from it and builds nothing but parts of networks.

To find a bundle and to read of it loads no torch; what builds one does.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from avpipe.bundle.errors import BundleError
from avpipe.bundle.manifest import Origin, read_manifest
from avpipe.bundle.places import find_bundle, name_of, notice, read_origin, read_specs, shipped_bundles

if TYPE_CHECKING:
    from avpipe.bundle.golden import full_window, golden_clip, try_out
    from avpipe.bundle.store import Bundle, load_bundle, record_metrics, record_objective, save_bundle

__all__ = [
    "Bundle",
    "BundleError",
    "Origin",
    "find_bundle",
    "full_window",
    "golden_clip",
    "load_bundle",
    "name_of",
    "notice",
    "read_manifest",
    "read_origin",
    "read_specs",
    "record_metrics",
    "record_objective",
    "save_bundle",
    "shipped_bundles",
    "try_out",
]

_BUILDING = ("golden", "store")


def __getattr__(name: str) -> Any:
    if name in __all__:
        for module in (import_module(f"avpipe.bundle.{each}") for each in _BUILDING):
            if name in vars(module):
                return vars(module)[name]
    raise AttributeError(f"module 'avpipe.bundle' has no attribute {name!r}")
