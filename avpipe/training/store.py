"""Arrays on disk: written once, read as memory maps, bounded in size, and safe when two runs share them."""

import mmap
import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from avpipe.files import sha256_of

_ABANDONED_SEC = 24 * 3600.0
"""A half-written entry of this age belongs to a run that was killed."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS entry (key TEXT PRIMARY KEY, bytes INTEGER NOT NULL, used REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS content (path TEXT PRIMARY KEY, state TEXT NOT NULL, sha256 TEXT NOT NULL) WITHOUT ROWID;
"""


class Store:
    """A folder of entries, each some named arrays under a key. Any process may read and write it.

    Args:
        folder: of the entries; made where it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, key: str) -> Path:
        return self.folder / key[:2] / key

    def read(self, key: str) -> dict[str, np.ndarray] | None:
        """The arrays of an entry, as maps that change no file; None: there is no such entry, or no longer."""
        try:
            return {file.stem: _opened(file) for file in self.path(key).iterdir()}
        except (FileNotFoundError, ValueError):  # emptied by another run between the listing and the opening
            return None

    @contextmanager
    def writer(self, key: str) -> Iterator["EntryWriter"]:
        """Write an entry, whole or not at all; another process may write the same at the same time."""
        part = self.folder / f".{os.getpid()}.part.{key}"
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        try:
            with EntryWriter(part) as writer:
                yield writer
            self.path(key).parent.mkdir(exist_ok=True)
            if not self.path(key).is_dir():
                os.rename(part, self.path(key))
        except FileExistsError:  # the other was quicker, and wrote the same
            pass
        finally:
            shutil.rmtree(part, ignore_errors=True)

    def remove(self, key: str) -> None:
        # Out of sight first, so that no reader finds half of it; memory maps that are open stay whole.
        part = self.folder / f".{os.getpid()}.part.{key}"
        try:
            os.rename(self.path(key), part)
        except FileNotFoundError:
            return
        shutil.rmtree(part, ignore_errors=True)

    def remove_abandoned(self) -> None:
        """Remove what killed runs left half-written."""
        for part in self.folder.glob(".*.part.*"):
            if time.time() - part.stat().st_mtime > _ABANDONED_SEC:
                shutil.rmtree(part, ignore_errors=True)


def _opened(file: Path) -> np.ndarray:
    """A memory map; of what is smaller than a page the array itself, as maps are few and slow to reach into."""
    # "c": torch takes no array that it may not write; what is written stays in this process.
    array: np.ndarray = np.load(file, mmap_mode="c")
    if array.nbytes <= mmap.PAGESIZE:
        array = np.array(array)
        array.flags.writeable = False
    return array


class EntryWriter:
    """The arrays of one entry, each growing along its first axis: a recording of hours is never held whole.

    Args:
        folder: to write in, a file an array.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.arrays: dict[str, tuple[Any, np.ndarray, int]] = {}

    def __enter__(self) -> "EntryWriter":
        return self

    def __exit__(self, *error: object) -> None:
        for file, like, length in self.arrays.values():
            with file:
                file.seek(0)
                _write_header(file, like, length)

    @property
    def bytes(self) -> int:
        return sum(length * like[0].nbytes for _, like, length in self.arrays.values())

    def append(self, name: str, rows: np.ndarray) -> None:
        """
        Shape:
            rows: (N, ...), N at least 1; the same but for N at each call of one name.
        """
        if name not in self.arrays:
            file = (self.folder / f"{name}.npy").open("wb")
            _write_header(file, rows, 0)
            self.arrays[name] = (file, rows[:1], 0)
        file, like, length = self.arrays[name]
        file.write(np.ascontiguousarray(rows).data)
        self.arrays[name] = (file, like, length + len(rows))


def _write_header(file: Any, like: np.ndarray, length: int) -> None:
    """Of the NPY format, version 1: it leaves room for the first axis to grow, so that it can be written again."""
    description = np.lib.format.dtype_to_descr(like.dtype)
    shape = (length, *like.shape[1:])
    header = {"descr": description, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)


class Index:
    """What a store holds, when it was last used, and which content stands in which file. One process of a run uses it.

    Args:
        store: to keep account of.
        max_bytes: that its entries may have together.
    """

    def __init__(self, store: Store, max_bytes: int) -> None:
        self.store = store
        self.max_bytes = max_bytes
        self.began = time.time()
        store.folder.mkdir(parents=True, exist_ok=True)
        self.connection = sqlite3.connect(store.folder / "index.sqlite", isolation_level=None, timeout=60.0)
        # Without a wait for the disk at every line: lost lines cost time and nothing else.
        self.connection.executescript(f"PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; {_SCHEMA}")
        store.remove_abandoned()

    def __enter__(self) -> "Index":
        return self

    def __exit__(self, *error: object) -> None:
        self.connection.close()

    def content(self, path: Path) -> str:
        """SHA-256 of a file, remembered until the file changes."""
        found = path.stat()
        state = f"{found.st_ino} {found.st_size} {found.st_mtime_ns} {found.st_ctime_ns}"
        name = os.fsencode(path.absolute()).hex()
        row = self.connection.execute("SELECT sha256 FROM content WHERE path = ? AND state = ?", (name, state))
        if known := row.fetchone():
            return str(known[0])
        sha256 = sha256_of(path)
        self.connection.execute("INSERT OR REPLACE INTO content VALUES (?, ?, ?)", (name, state, sha256))
        return sha256

    def has(self, key: str) -> bool:
        """Whether an entry is there; if it is, this run uses it."""
        if not self.store.path(key).is_dir():
            return False
        update = self.connection.execute("UPDATE entry SET used = ? WHERE key = ?", (time.time(), key))
        return update.rowcount > 0

    def add(self, key: str, num_bytes: int) -> bool:
        """Enter what was just written; what no run has used for longest goes, until all fit.

        Returns:
            False: this run alone fills the store, and the entry was removed again.
        """
        self.connection.execute("INSERT OR REPLACE INTO entry VALUES (?, ?, ?)", (key, num_bytes, time.time()))
        while self._total() > self.max_bytes:
            select = "SELECT key FROM entry WHERE used < ? ORDER BY used LIMIT 1"
            oldest = self.connection.execute(select, (self.began,)).fetchone()
            self._drop(oldest[0] if oldest else key)
            if oldest is None:
                return False
        return True

    def _total(self) -> int:
        return int(self.connection.execute("SELECT COALESCE(SUM(bytes), 0) FROM entry").fetchone()[0])

    def _drop(self, key: str) -> None:
        self.store.remove(key)
        self.connection.execute("DELETE FROM entry WHERE key = ?", (key,))
