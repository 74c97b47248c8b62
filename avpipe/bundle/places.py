"""Bundles by name and by folder, without building them."""

from pathlib import Path

from avpipe.bundle.errors import BundleError
from avpipe.bundle.manifest import CARD, MANIFEST, Manifest, Origin, read_manifest
from avpipe.config import Spec
from avpipe.errors import ArgumentError

_SHIPPED = Path(__file__).parents[1] / "bundles"


def find_bundle(name: str) -> Path:
    """The folder of a bundle, by its path or by the name of one that ships.

    Raises:
        BundleError: for a folder that is no bundle.
        ArgumentError: if there is neither folder nor name.
    """
    for folder in (Path(name), _SHIPPED / name):
        if name and (folder / MANIFEST).is_file():
            return folder
    if name and Path(name).exists():
        raise BundleError(name, f"holds no {MANIFEST}", "name the folder 'bundle' of a finished training run")
    choices = ", ".join(shipped_bundles())
    raise ArgumentError(f"bundle={name}", "no such bundle", f"name a bundle's folder, or one of: {choices}")


def shipped_bundles() -> list[str]:
    """Names of the bundles inside the package."""
    return sorted(path.parent.name for path in _SHIPPED.glob(f"*/{MANIFEST}"))


def read_origin(folder: Path) -> Origin:
    """Where a bundle comes from, without building it."""
    return read_manifest(folder).origin


def read_specs(folder: Path) -> dict[str, Spec]:
    """What a bundle is built from, without building it."""
    return dict(read_manifest(folder).specs)


def name_of(folder: Path, manifest: Manifest) -> str:
    """By which a bundle is known in answers."""
    # Every run keeps its result in a folder of one name, which would tell nothing in an answer.
    return folder.resolve().name if folder.resolve().name != "bundle" else manifest.origin.task


def notice(name: str, origin: Origin) -> str:
    """What whoever uses a bundle must know of what it learned from, as a line; empty where there is nothing.

    That is a licence that does not allow all uses, and what the recordings are, where that was written down.
    """
    about = str(origin.corpus_settings.get("about", "")).partition(". ")[0].rstrip(".")
    if "NC" not in origin.licence and not about:
        return ""
    source = "its maker's own recordings" if origin.corpus == "manifest" else origin.corpus
    forbidden = ": not for commercial use" if "NC" in origin.licence else ""
    told = f". {about} ({CARD} of the bundle says more)" if about else ""
    return f"bundle {name}: learned from {source}, {origin.licence}{forbidden}{told}"
