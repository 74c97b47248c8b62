"""Writing files whole or not at all, and knowing them by their content."""

import hashlib
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Yield a path beside ``path`` to write to; rename it to ``path`` when the block ends well.

    Readers see the old file or the new one, never half of one. If the block raises, the part is removed and
    whatever stood at ``path`` stays. The yielded name keeps the suffix, which some writers choose their format by.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{os.getpid()}.part.{path.name[-100:]}")
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def folder_written_whole(folder: Path) -> Iterator[Path]:
    """Yield an empty folder to write to; it gets the name ``folder`` when the block ends well.

    Whoever is killed on the way leaves what stood there (a file, too), the new folder, or none, and never a mixture.
    """
    part = folder.with_name(f".{folder.name}.part")
    _remove(part)
    part.mkdir(parents=True)
    try:
        yield part
        old = _moved_aside(folder)
        os.replace(part, folder)
        _remove(old)
    finally:
        _remove(part)


def remove_whole(path: Path) -> None:
    """Remove a file, or a folder with all that is in it; no reader finds half of it."""
    _remove(_moved_aside(path))


def _moved_aside(path: Path) -> Path:
    """Where what stood at ``path``, if anything, now is."""
    old = path.with_name(f".{path.name}.old")
    _remove(old)
    with suppress(FileNotFoundError):
        os.replace(path, old)
    return old


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` as UTF-8, whole or not at all."""
    with written_whole(path) as part:
        part.write_text(text, encoding="utf-8", newline="\n")


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def cache_folder() -> Path:
    """Where avpipe remembers what can be found out anew: ``$XDG_CACHE_HOME/avpipe``, or else ``~/.cache/avpipe``."""
    parent = Path(os.environ.get("XDG_CACHE_HOME", ""))
    # The specification of XDG has relative paths ignored.
    return (parent if parent.is_absolute() else Path(os.path.expanduser("~/.cache"))) / "avpipe"


@contextmanager
def muted(*descriptors: int) -> Iterator[None]:
    """Keep to itself what a library writes to standard output (1) and error (2), also past Python."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = {each: os.dup(each) for each in descriptors}
    try:
        with open(os.devnull, "wb") as nothing:
            for each in descriptors:
                os.dup2(nothing.fileno(), each)
        yield
    finally:
        for each, copy in kept.items():
            os.dup2(copy, each)
            os.close(copy)
