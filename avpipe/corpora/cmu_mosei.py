"""CMU-MOSEI: opinions spoken into cameras, with a score of sentiment for each sentence."""

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from avpipe.corpora.corpus import SIDE_NAMES, SIDES, Corpus, choose_label, find_root
from avpipe.corpora.errors import CorpusError
from avpipe.corpora.example import Example
from avpipe.corpora.tables import Row, finite, read_table
from avpipe.media import find_media

LOW, HIGH = -3.0, 3.0
"""The scale of the labels."""

_COLUMNS = ("video_id", "start", "end", "sentiment", "split")


class _Found(NamedTuple):
    sides: dict[Example, str]
    missing: tuple[str, ...]
    """Films that are listed and not there."""


class CmuMosei(Corpus):
    """Stretches of raw films that a CSV lists, with the columns video_id, start, end (seconds), sentiment, split.

    The films, ``<video_id>.mp4``, lie anywhere below the root; those that are listed and not there are left out, and a
    warning tells their number. The group is the film. Sentiment is a number from -3 to 3: ``label=score`` learns it
    (with ``objective=regression``), ``label=sentiment`` its sign: positive, neutral (0) or negative.

    Args:
        root: the folder of the films; None: ``$AVPIPE_CORPORA/cmu_mosei``.
        path: the CSV; None: ``labels.csv`` in the root.
        label: score or sentiment.

    Reference: A. Zadeh et al., "Multimodal Language Analysis in the Wild: CMU-MOSEI Dataset and Interpretable Dynamic
    Fusion Graph", ACL 2018.
    """

    name = "cmu_mosei"
    licence = "labels by CMU, for research; films under their owners' terms"

    def __init__(
        self, root: str | Path | None = None, path: str | Path | None = None, label: str = "sentiment"
    ) -> None:
        self.label = choose_label(self.name, label, ("sentiment", "score"))
        self.has_classes = self.label == "sentiment"
        self.root = find_root(self.name, root, "cmu_mosei", "the raw films and labels of CMU-MOSEI")
        self.path = self.root / "labels.csv" if path is None else Path(path).expanduser()

    def scan(self) -> Iterable[Example]:
        return self._found.sides

    def official_split(self) -> dict[Example, str]:
        return dict(self._found.sides)

    @property
    def notes(self) -> tuple[str, ...]:
        missing = self._found.missing
        if not missing:
            return ()
        return (f"{len(missing)} listed films are not there (first {missing[0]}.mp4): left out",)

    @cached_property
    def _found(self) -> _Found:
        films = {film.stem: film for film in find_media(self.root)}
        sides: dict[Example, str] = {}
        missing: dict[str, None] = {}
        for row in read_table(self.path, _COLUMNS):
            name = row.cells["video_id"]
            score, side = self._score(row), self._side(row)
            start_sec, end_sec = (self._number(row, column) for column in ("start", "end"))
            if not 0 <= start_sec < end_sec:
                raise self._error(row, f"{start_sec:g} to {end_sec:g} s is no stretch", "mend start and end")
            if name not in films:
                missing[name] = None
                continue
            target = score if self.label == "score" else _sign(score)
            example = Example(films[name], target, start_sec, end_sec, name)
            if example in sides:
                raise self._error(row, "repeats an earlier line", "remove one of them")
            sides[example] = side
        return _Found(sides, tuple(missing))

    def _score(self, row: Row) -> float:
        score = self._number(row, "sentiment")
        if not LOW <= score <= HIGH:
            raise self._error(row, f"sentiment {score:g} lies outside the scale from -3 to 3", "mend it")
        return score

    def _side(self, row: Row) -> str:
        side = row.cells["split"]
        if side not in SIDE_NAMES:
            raise self._error(row, f"unknown split {side!r}", f"choose from {', '.join(SIDES)}")
        return SIDE_NAMES[side]

    def _number(self, row: Row, column: str) -> float:
        cell = row.cells[column]
        number = finite(cell)
        if number is None:
            raise self._error(row, f"{column} {cell!r} is no number", "mend it or remove the line")
        return number

    def _error(self, row: Row, reason: str, remedy: str) -> CorpusError:
        return CorpusError(f"{self.path}, line {row.line}", reason, remedy)


def _sign(score: float) -> str:
    return "positive" if score > 0 else "negative" if score < 0 else "neutral"
