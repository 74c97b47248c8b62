"""Folders of derived recordings: written once, whole, and the same everywhere."""

import csv
import hashlib
import io
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from avpipe.corpora.errors import CorpusError


def write_folder(folder: Path, names: Sequence[str], fill: Callable[[Path], None], what: str) -> None:
    """Write a folder of files, all or nothing; what is there already stays.

    Args:
        folder: where to; of several processes that write at once the first to finish stays.
        names: of its files, with forward slashes: the folder is taken for finished where all of them are.
        fill: writes them into the folder that it is given.
        what: they are, in the plural.

    Raises:
        CorpusError: the disk is full or read-only.
    """
    if holds_all(folder, names):
        return
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(folder)
        part = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".part", dir=folder.parent))
        try:
            fill(part)
            part.chmod(0o755)  # as any folder; that of a temporary one is for its owner alone
            _put(part, folder, names)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    except OSError as error:
        reason = f"the {what} cannot be written ({error.strerror or error})"
        raise CorpusError(folder, reason, "free some room, or set XDG_CACHE_HOME to another folder") from error


def holds_all(folder: Path, names: Iterable[str]) -> bool:
    """Whether every file is there."""
    return all((folder / name).is_file() for name in names)


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write a table as CSV, equal bytes on every system."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    path.write_bytes(text.getvalue().encode(errors="surrogateescape"))


def samples_sha256(samples: np.ndarray) -> str:
    """Of 16-bit samples, not of their file: another version of the codec may pack them otherwise."""
    return hashlib.sha256(samples.astype("<i2").tobytes()).hexdigest()


def _put(part: Path, folder: Path, names: Sequence[str]) -> None:
    """Rename a finished folder, unless another process was first."""
    for _ in range(2):
        try:
            os.rename(part, folder)
            return
        except OSError:
            if holds_all(folder, names):
                return
            # Someone has removed files from it.
            shutil.rmtree(folder)
    os.rename(part, folder)


def _remove_leftovers(folder: Path) -> None:
    """What a process that was killed has left, a day ago or more."""
    for part in folder.parent.glob(".*.part"):
        if time.time() - part.stat().st_mtime > 86_400:
            shutil.rmtree(part, ignore_errors=True)
