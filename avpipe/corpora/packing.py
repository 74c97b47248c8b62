"""Packing a corpus into tar files, which :class:`avpipe.corpora.Shards` reads."""

import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from avpipe.corpora.corpus import SIDES, Corpus, relative_to_root
from avpipe.corpora.errors import CorpusError
from avpipe.corpora.example import Example
from avpipe.corpora.shards import FORMAT, INDEX, stays_below
from avpipe.corpora.split import Split, name_of
from avpipe.files import sha256_of, write_text, written_whole


@dataclass(frozen=True)
class _Record:
    """What is packed together: a recording, the files that belong to it, and all of its examples."""

    files: Mapping[str, Path]
    """By path relative to the corpus's root; the recording first."""
    examples: tuple[Mapping[str, Any], ...]

    def members(self, key: str) -> Iterator[tuple[str, str, Path]]:
        """Of a tar: name, path relative to the root, file."""
        for place, (name, path) in enumerate(self.files.items()):
            yield f"{key}.{f'{place}.' if place else ''}{path.suffix.lower().lstrip('.') or 'bin'}", name, path


def write_shards(corpus: Corpus, split: Split, label: str, folder: Path, shard_bytes: int) -> int:
    """Pack the examples of a split, each with its side, and say how many tars there are now.

    The same corpus gives the same bytes. Records stand in an order that hangs on their names alone and mixes labels, so
    that a part of the tars is a sample of the corpus.

    Args:
        corpus: whose examples they are.
        split: of them; what it has dropped stays out.
        label: what the targets are, as the task says it.
        folder: where to, empty or of an earlier packing, which is replaced.
        shard_bytes: after which another tar begins; a longer recording has one for itself.

    Raises:
        CorpusError: a file cannot be read, or lies outside the corpus's folders; the folder holds something else.
    """
    records = _records(corpus, split)
    folder.mkdir(parents=True, exist_ok=True)
    others = sorted(path.name for path in folder.iterdir() if path.name != INDEX and not _is_shard(path))
    if others:
        raise CorpusError(folder, f"holds {others[0]!r}, which is no shard", "give output=DIR, a new folder")
    # Without its index nobody takes what is half written for a corpus.
    (folder / INDEX).unlink(missing_ok=True)
    for old in folder.glob("shard-*.tar"):
        old.unlink()
    shards = {}
    for number, part in enumerate(_parts(records, shard_bytes)):
        path = folder / f"shard-{number:05d}.tar"
        with written_whole(path) as unfinished:
            _write_tar(unfinished, part)
        shards[path.name] = sha256_of(path)
    index = {
        "format": FORMAT,
        "corpus": corpus.name,
        "label": label,
        "licence": corpus.licence,
        "has_classes": corpus.has_classes,
        "fixed_split": corpus.fixed_split,
        "notes": corpus.notes,
        "split_sha256": split.sha256,
        "examples": sum(len(record.examples) for record in records),
        "recordings": len(records),
        "shards": shards,
    }
    write_text(folder / INDEX, json.dumps(index, indent=1) + "\n")
    return len(shards)


def _records(corpus: Corpus, split: Split) -> list[_Record]:
    """One a recording, in the order of packing."""
    roots = (corpus.root, *corpus.other_roots)
    together: dict[str, list[tuple[Example, str]]] = {}
    for side in SIDES:
        for example in getattr(split, side):
            together.setdefault(corpus.relative_path(example), []).append((example, side))
    records = []
    placed: dict[str, Path] = {}
    for name in sorted(together, key=lambda name: (_mixed(name), name)):
        examples = sorted(together[name], key=lambda each: name_of(corpus, each[0]))
        named = (path for example, _ in examples for path in (example.path, example.target, example.annotation))
        files = {relative_to_root(path, *roots): path for path in named if isinstance(path, Path)}
        for place, path in files.items():
            if not stays_below(place):
                raise CorpusError(path, "lies outside the corpus's folder", "give a corpus.root that holds it")
            if placed.setdefault(place, path) != path:
                raise CorpusError(path, f"would lie where {placed[place]} lies", "rename one of them")
        records.append(_Record(files, tuple(_cells(each, side, roots) for each, side in examples)))
    return records


def _cells(example: Example, side: str, roots: Sequence[Path]) -> dict[str, Any]:
    """An example as JSON tells it; paths relative to the corpus's root."""
    target = example.target
    return {
        "path": relative_to_root(example.path, *roots),
        "target": {"file": relative_to_root(target, *roots)} if isinstance(target, Path) else target,
        "start_sec": example.start_sec,
        "end_sec": example.end_sec,
        "group": example.group,
        "annotation": None if example.annotation is None else relative_to_root(example.annotation, *roots),
        "split": side,
    }


def _parts(records: Iterable[_Record], shard_bytes: int) -> Iterator[list[tuple[str, _Record]]]:
    """Numbered records, cut where a tar would grow too long."""
    part: list[tuple[str, _Record]] = []
    filled = 0
    for number, record in enumerate(records):
        size = sum(_size(path) for path in record.files.values())
        if part and filled + size > shard_bytes:
            yield part
            part, filled = [], 0
        part.append((f"{number:08d}", record))
        filled += size
    yield part


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise CorpusError(path, f"cannot be read ({error.strerror})", "put it back, or take it off the list") from error


def _write_tar(path: Path, records: Iterable[tuple[str, _Record]]) -> None:
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        for key, record in records:
            members = list(record.members(key))
            told = {"files": {member: name for member, name, _ in members}, "examples": record.examples}
            text = json.dumps(told, sort_keys=True).encode()
            head = tarfile.TarInfo(f"{key}.json")
            head.size = len(text)
            tar.addfile(head, io.BytesIO(text))
            for member, _, source in members:
                _add(tar, member, source)


def _add(tar: tarfile.TarFile, member: str, source: Path) -> None:
    """Add a file by its bytes alone: owners, rights and times would make every packing another one."""
    head = tarfile.TarInfo(member)
    head.size = _size(source)
    try:
        with source.open("rb") as content:
            tar.addfile(head, content)
    except OSError as error:
        raise CorpusError(
            source, f"cannot be packed ({error.strerror or error})", "see that it stays as it is"
        ) from error


def _mixed(name: str) -> str:
    return hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()


def _is_shard(path: Path) -> bool:
    return path.name.startswith("shard-") and path.suffix == ".tar"
