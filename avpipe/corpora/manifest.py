"""Manifests: any recordings, told in a list."""

import json
import os
from collections.abc import Iterable
from pathlib import Path

from avpipe.corpora.corpus import SIDE_NAMES, SIDES, Corpus, existing_folder
from avpipe.corpora.errors import CorpusError
from avpipe.corpora.example import Example
from avpipe.corpora.tables import Row, finite, read_table, unreadable
from avpipe.errors import ArgumentError
from avpipe.media import MediaError, read_boxes

_JSON_LINES = (".jsonl", ".ndjson")
_TARGETS = ("label", "text", "score")


class Manifest(Corpus):
    """A CSV (``.tsv``: with tabs) or JSONL file, one recording, or stretch of one, a line.

    Columns, all but the first optional: ``path`` (relative to ``root``, or absolute), ``label``, ``group``, ``split``
    (train, val or test), ``start_sec``, ``end_sec``, ``text``, ``score``, ``boxes`` (a table of where in
    a film to look, named as ``path`` is). Others are not looked at. Where the task says a ``score``, it stands in that
    column, or else labels are numbers.

    Args:
        path: the file.
        root: what its paths are relative to; None: the folder that it stands in.
        target: the column to learn, ``label``, ``text`` or ``score``; None: ``text`` or ``score`` where that is the
            task's label, else ``label`` where there is one.
        licence: of the recordings, for the cards of what learns from them.
        label: what the task says; only ``text`` and ``score`` are of effect.
    """

    name = "manifest"

    def __init__(
        self,
        path: str | Path | None = None,
        root: str | Path | None = None,
        target: str | None = None,
        licence: str = "not stated",
        label: str | None = None,
    ) -> None:
        if not path:
            raise CorpusError("corpus=manifest", "corpus.path is not given", "give corpus.path=FILE, CSV or JSONL")
        if target not in (None, *_TARGETS):
            raise ArgumentError(f"corpus.target={target}", "unknown column", f"choose from {', '.join(_TARGETS)}, null")
        self.path = Path(os.path.abspath(Path(path).expanduser()))
        self.root = existing_folder(root or self.path.parent, "give corpus.root=DIR that the paths are relative to")
        self.licence = licence
        rows = _read_rows(self.path)
        filled = {column for column in _TARGETS if any(row.cells.get(column) for row in rows)}
        self.target = target or self._usual_target(label, filled)
        if self.target == "text" and "text" not in filled:
            raise self._no_text("label" in filled, "text" in rows[0].cells)
        self.has_scores = label == "score" and self.target != "text"
        self.has_classes = self.target != "text" and not self.has_scores
        self._sides = self._parse(rows)

    def scan(self) -> Iterable[Example]:
        return self._sides.keys()

    def official_split(self) -> dict[Example, str] | None:
        return dict(self._sides) if all(self._sides.values()) else None

    @staticmethod
    def _usual_target(label: str | None, filled: set[str]) -> str:
        if label == "text" or filled == {"text"}:
            return "text"
        return "score" if label == "score" and "score" in filled else "label"

    def _parse(self, rows: list[Row]) -> dict[Example, str]:
        """Each example and its side, or "" where no row has one."""
        labelled = any(row.cells.get(self.target) for row in rows)
        split = any(row.cells.get("split") for row in rows)
        sides: dict[Example, str] = {}
        for row in rows:
            example, side = self._example(row, labelled), self._side(row, split)
            if example in sides:
                raise self._error(row, "repeats an earlier line", "remove one of them")
            sides[example] = side
        return sides

    def _example(self, row: Row, labelled: bool) -> Example:
        cells = row.cells
        if not cells.get("path"):
            raise self._error(row, "no path", "each line names a file")
        path = Path(os.path.abspath(self.root / cells["path"]))
        if not path.is_file():
            raise self._error(row, f"no such file: {path}", "paths are relative to corpus.root or to the manifest")
        target: str | float | None = cells.get(self.target) or None
        if labelled and target is None:
            raise self._error(row, f"no {self.target}, though other lines have one", "fill it in or remove the line")
        if self.has_scores and target is not None:
            target = self._score(row, str(target))
        start_sec = self._seconds(row, "start_sec") or 0.0
        end_sec = self._seconds(row, "end_sec")
        if end_sec is not None and end_sec <= start_sec:
            raise self._error(row, f"end_sec {end_sec} is not after start_sec {start_sec}", "swap or mend them")
        return Example(path, target, start_sec, end_sec, cells.get("group", ""), self._boxes(row))

    def _boxes(self, row: Row) -> Path | None:
        cell = row.cells.get("boxes")
        if not cell:
            return None
        path = Path(os.path.abspath(self.root / cell))
        try:
            read_boxes(path)
        except MediaError as error:
            raise self._error(row, f"{error.subject}: {error.reason}", error.remedy) from error
        return path

    def _score(self, row: Row, cell: str) -> float:
        score = finite(cell)
        if score is None:
            raise self._error(
                row, f"{self.target} {cell!r} is no number", "give scores, or task.label=sentiment for classes"
            )
        return score

    def _side(self, row: Row, split: bool) -> str:
        if not split:
            return ""
        name = row.cells.get("split", "")
        if name not in SIDE_NAMES:
            reason = f"unknown split {name!r}" if name else "no split, though other lines have one"
            raise self._error(row, reason, f"choose from {', '.join(SIDES)}")
        return SIDE_NAMES[name]

    def _seconds(self, row: Row, column: str) -> float | None:
        cell = row.cells.get(column)
        if not cell:
            return None
        seconds = finite(cell)
        if seconds is None or seconds < 0:
            raise self._error(row, f"{column} {cell!r} is no time", "give seconds, such as 1.5")
        return seconds

    def _no_text(self, has_labels: bool, has_column: bool) -> CorpusError:
        """The error of a list that has no transcripts, where they are asked for."""
        reason = "has nothing in its column text" if has_column else "has no column text"
        remedy = "write what is said into it" if has_column else "give a column text"
        return CorpusError(self.path, reason, remedy + (", or corpus.target=label" if has_labels else ""))

    def _error(self, row: Row, reason: str, remedy: str) -> CorpusError:
        return CorpusError(f"{self.path}, line {row.line}", reason, remedy)


def _read_rows(path: Path) -> list[Row]:
    if path.suffix.lower() in _JSON_LINES:
        rows = _read_json_lines(path)
    else:
        rows = read_table(path, ("path",), delimiter="\t" if path.suffix.lower() == ".tsv" else ",")
    if not rows:
        raise CorpusError(path, "lists no file", "each line after the header names one")
    return rows


def _read_json_lines(path: Path) -> list[Row]:
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise unreadable(path, error) from error
    return [_json_row(path, number, line) for number, line in enumerate(lines, start=1) if line.strip()]


def _json_row(path: Path, number: int, line: str) -> Row:
    subject = f"{path}, line {number}"
    try:
        cells = json.loads(line)
    except ValueError as error:
        raise CorpusError(subject, f"is no JSON ({error})", "JSONL has one whole object a line") from error
    if not isinstance(cells, dict) or "path" not in cells:
        raise CorpusError(subject, "is no object with the key 'path'", 'write {"path": ..., "label": ...}')
    for key, cell in cells.items():
        if isinstance(cell, bool | dict | list):
            raise CorpusError(subject, f"{key!r} holds {json.dumps(cell)}", "give text or a number")
    return Row(number, {key: "" if cell is None else str(cell).strip() for key, cell in cells.items()})
