"""Corpora packed into tar files, which are read from end to end instead of file by file."""

import hashlib
import json
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Any

from avpipe.corpora.corpus import Corpus, existing_folder
from avpipe.corpora.errors import CorpusError
from avpipe.corpora.example import Example
from avpipe.files import cache_folder, sha256_of, write_text, written_whole

INDEX = "index.json"
FORMAT = 1
_CHUNK = 1 << 20
PACK_AGAIN = "pack the corpus again (avpipe pack)"


class Shards(Corpus):
    """A corpus that ``avpipe pack`` has packed: recordings, labels, groups and the split, in a folder of tar files.

    Each tar is copied into the cache when it is first used, whole or not at all, and checked against the SHA-256 that
    the index tells; paths there are those of the packed corpus, so that the split's hash, and what is learned, are the
    same.

    A tar follows WebDataset's layout: the files of a record share their name up to the first dot, ``00000007.json``
    tells its examples, ``00000007.wav`` is the recording, ``00000007.1.flac`` what else belongs to it.

    Args:
        root: the folder that was packed.
        label: what the task says; it must be what was packed. None: whatever was.

    Reference: A. Aizman, G. Maltby, T. Breuel, "High Performance I/O For Large Scale Deep Learning", IEEE Big Data
    2019, arXiv:2001.01858; no library of theirs is needed to read or write.
    """

    name = "shards"

    def __init__(self, root: str | Path | None = None, label: str | None = None) -> None:
        if not root:
            raise CorpusError("corpus=shards", "corpus.root is not given", "give the folder that avpipe pack wrote")
        self._packed = existing_folder(root, "give the folder that avpipe pack wrote")
        index = _read_index(self._packed)
        if label not in (None, index["label"]):
            reason = f"was packed with the label {index['label']!r}, and the task says {label!r}"
            raise CorpusError(self._packed, reason, "pack it again with this task=")
        self.licence = index["licence"]
        self.has_classes = index["has_classes"]
        self.fixed_split = index["fixed_split"]
        self._notes = tuple(index["notes"])
        self._shards: Mapping[str, str] = index["shards"]
        self.root = (
            cache_folder() / self.name / hashlib.sha256("\n".join(self._shards.values()).encode()).hexdigest()[:16]
        )
        self._sides: dict[Example, str] = {}

    @property
    def notes(self) -> tuple[str, ...]:
        return self._notes

    def scan(self) -> Iterable[Example]:
        if not self._sides:
            for name, sha256 in self._shards.items():
                self._unpack(name, sha256)
            found = chain.from_iterable(_listed(self.root / f"{name}.jsonl") for name in self._shards)
            self._sides = {self._example(cells): cells["split"] for cells in found}
        return self._sides.keys()

    def official_split(self) -> dict[Example, str] | None:
        self.scan()
        return dict(self._sides) if {"train", "test"} <= set(self._sides.values()) else None

    def _example(self, cells: Mapping[str, Any]) -> Example:
        target, annotation = cells["target"], cells["annotation"]
        if isinstance(target, dict):
            target = self.root / target["file"]
        annotation = None if annotation is None else self.root / annotation
        times = cells["start_sec"], cells["end_sec"]
        return Example(self.root / cells["path"], target, *times, cells["group"], annotation)

    def _unpack(self, name: str, sha256: str) -> None:
        """Copy a tar's files into the cache; its list of examples last, which tells that all are there."""
        done, shard = self.root / f"{name}.jsonl", self._packed / name
        if done.is_file():
            return
        try:
            if sha256_of(shard) != sha256:
                raise CorpusError(shard, "has changed since it was packed", f"copy it again, or {PACK_AGAIN}")
            with tarfile.open(shard, "r|") as tar:
                lines = list(self._unpacked(tar, shard))
            write_text(done, "".join(f"{json.dumps(cells)}\n" for cells in lines))
        except tarfile.TarError as error:
            raise CorpusError(shard, f"is no tar that can be read ({error})", PACK_AGAIN) from error
        except OSError as error:
            reason = f"cannot be copied into the cache ({error.strerror or error})"
            remedy = "free some room, or set XDG_CACHE_HOME to another folder"
            raise CorpusError(shard, reason, remedy) from error

    def _unpacked(self, tar: tarfile.TarFile, shard: Path) -> Iterator[dict[str, Any]]:
        """What the list tells of each example, once the files of its record are in place."""
        names: dict[str, str] = {}
        for member in tar:
            content = tar.extractfile(member)
            if content is None:
                continue
            if member.name.endswith(".json"):
                record = json.load(content)
                names = record["files"]
                yield from record["examples"]
                continue
            name = names.get(member.name)
            if name is None or not stays_below(name):
                raise CorpusError(shard, f"holds {member.name!r}, which it tells no place of", PACK_AGAIN)
            with written_whole(self.root / name) as part, part.open("wb") as file:
                while chunk := content.read(_CHUNK):
                    file.write(chunk)


def _read_index(folder: Path) -> dict[str, Any]:
    path = folder / INDEX
    try:
        index: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CorpusError(folder, f"has no {INDEX}: it was not packed to its end", PACK_AGAIN) from error
    except (OSError, ValueError) as error:
        raise CorpusError(path, "cannot be read", PACK_AGAIN) from error
    if index.get("format") != FORMAT:
        raise CorpusError(path, f"is of format {index.get('format')}, this avpipe reads {FORMAT}", PACK_AGAIN)
    return index


def _listed(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        yield from map(json.loads, file)


def stays_below(name: str) -> bool:
    """Whether a relative path leads nowhere but below its folder."""
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts
