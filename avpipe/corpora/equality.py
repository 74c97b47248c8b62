"""Finding recordings that are equal once decoded, which hashes of files miss."""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TypedDict

from avpipe.corpora.example import Example
from avpipe.files import cache_folder, write_text
from avpipe.media import MediaError, decoded_sha256, probe

_FIRST_SEC = 1.0
"""Seconds at the start whose hash tells most recordings of equal length apart."""


def equal_recordings(examples: Iterable[Example], root: Path) -> list[tuple[Example, ...]]:
    """Sets of two or more examples whose decoded samples are equal.

    Decoding a corpus is slow, so only what has one length is decoded, and only what has one first second is decoded
    whole; what was found out is remembered between runs. What cannot be read equals nothing: this is not the place
    to tell about it, training is.
    """
    memory = _Memory(cache_folder() / f"samples-{hashlib.sha256(os.fsencode(root)).hexdigest()[:16]}.json")
    alike: list[tuple[Example, ...]] = [tuple(examples)]
    try:
        for tell in (memory.length_sec, memory.first_second, memory.whole):
            alike = [part for together in alike for part in _parts(together, tell) if len(part) > 1]
    finally:  # also when interrupted, so that the next run goes on from there
        memory.save()
    return alike


def _parts(examples: Sequence[Example], tell: Callable[[Example], str | float | None]) -> list[tuple[Example, ...]]:
    """The examples, put together by what ``tell`` says of them, in their order; None: left out."""
    parts: dict[str | float, list[Example]] = {}
    for example in examples:
        if (told := tell(example)) is not None:
            parts.setdefault(told, []).append(example)
    return [tuple(part) for part in parts.values()]


class _File(TypedDict):
    size: int
    mtime_ns: int
    found: dict[str, str | float]


class _Memory:
    """What is known of each file's samples, kept in a JSON file. Lost, unwritable or spoilt, it costs time only."""

    def __init__(self, path: Path) -> None:
        self._path = path
        # Another decoder may decode other samples.
        self._decoders = {package: version(package) for package in ("av", "soundfile", "numpy")}
        self._files = self._load()
        self._checked: set[str] = set()
        self._changed = False

    def length_sec(self, example: Example) -> float | None:
        if example.end_sec is not None:
            return round(example.end_sec - example.start_sec, 3)
        duration_sec = self._find(example, "duration_sec", lambda: probe(example.path).duration_sec)
        # To the millisecond: containers round it otherwise.
        return None if duration_sec is None else round(float(duration_sec) - example.start_sec, 3)

    def first_second(self, example: Example) -> str | None:
        length_sec = self.length_sec(example)
        if length_sec is not None and length_sec <= _FIRST_SEC:
            return self.whole(example)
        return self._sha256(example, example.start_sec + _FIRST_SEC)

    def whole(self, example: Example) -> str | None:
        return self._sha256(example, example.end_sec)

    def save(self) -> None:
        if self._changed:
            try:
                write_text(self._path, json.dumps({"decoders": self._decoders, "files": self._files}))
            except OSError:
                return  # a full or read-only disk: found out anew next time

    def _sha256(self, example: Example, end_sec: float | None) -> str | None:
        start_sec = example.start_sec
        sha256 = self._find(
            example, f"{start_sec!r}-{end_sec!r}", lambda: decoded_sha256(example.path, start_sec, end_sec)
        )
        return None if sha256 is None else str(sha256)

    def _find(self, example: Example, what: str, find: Callable[[], str | float | None]) -> str | float | None:
        try:
            found = self._file(example.path)["found"]
            if what not in found:
                answer = find()
                if answer is None:
                    return None
                found[what] = answer
                self._changed = True
            return found[what]
        except (MediaError, OSError):
            return None

    def _file(self, path: Path) -> _File:
        """What is known of a file; nothing if it has changed since."""
        key = str(path)
        if key not in self._checked:
            status = path.stat()
            known = self._files.get(key)
            if known is None or (known["size"], known["mtime_ns"]) != (status.st_size, status.st_mtime_ns):
                self._files[key] = {"size": status.st_size, "mtime_ns": status.st_mtime_ns, "found": {}}
            self._checked.add(key)
        return self._files[key]

    def _load(self) -> dict[str, _File]:
        try:
            kept = json.loads(self._path.read_text(encoding="utf-8"))
            if kept["decoders"] == self._decoders:
                return dict(kept["files"])
        except (OSError, ValueError, KeyError, TypeError):
            pass  # none yet, or spoilt: begin anew
        return {}
