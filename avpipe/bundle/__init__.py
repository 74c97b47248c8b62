"""A bundle: all that inference needs, and the proof that it still does what it did when it was saved.

A folder of plain data: ``bundle.json`` (preprocessing, network, objective, labels, origin, and the SHA-256 of the other
files and of its own content), ``model.safetensors`` (weights), ``golden.safetensors`` (an input with the features and
the output it had), ``card.md`` (for people). Loading runs no code from it and builds nothing but parts of networks.
"""

from avpipe.bundle.errors import BundleError
from avpipe.bundle.golden import full_window, try_out
from avpipe.bundle.manifest import Origin
from avpipe.bundle.store import (
    Bundle,
    find_bundle,
    load_bundle,
    read_origin,
    read_specs,
    record_metrics,
    record_objective,
    save_bundle,
    shipped_bundles,
)

__all__ = [
    "Bundle",
    "BundleError",
    "Origin",
    "find_bundle",
    "full_window",
    "load_bundle",
    "read_origin",
    "read_specs",
    "record_metrics",
    "record_objective",
    "save_bundle",
    "shipped_bundles",
    "try_out",
]
