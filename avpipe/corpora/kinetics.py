"""Kinetics: ten-second clips of human actions from YouTube, as far as they are still to be had."""

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from avpipe.corpora.corpus import SIDE_NAMES, SIDES, Corpus, find_root
from avpipe.corpora.errors import CorpusError
from avpipe.corpora.example import Example
from avpipe.corpora.tables import Row, read_table
from avpipe.media import find_media

_COLUMNS = ("label", "youtube_id", "time_start", "time_end", "split")
_SIDES = {**SIDE_NAMES, "validate": "val"}


class _Found(NamedTuple):
    sides: dict[Example, str]
    num_listed: int
    first_missing: str


class Kinetics(Corpus):
    """What a CSV of Kinetics lists and is there: ``<youtube_id>_<time_start>_<time_end>.mp4``, times in six digits.

    The films lie anywhere below the root, such as in folders by label or by side. Films of YouTube vanish: those that
    are listed and not there are left out, and a warning tells their number. The group is the film on YouTube. Where no
    test film is there, as its labels were long kept back, the validation part tests, and validation is drawn from the
    training part, by group.

    Args:
        root: the folder of the films.
        path: a CSV with the columns label, youtube_id, time_start, time_end and split; None: all ``*.csv`` in the root.

    Reference: W. Kay et al., "The Kinetics Human Action Video Dataset", 2017, arXiv:1705.06950.
    """

    name = "kinetics"
    licence = "CC BY 4.0 (lists); films under their owners' terms"

    def __init__(self, root: str | Path | None = None, path: str | Path | None = None) -> None:
        source = "the lists of Kinetics from Google DeepMind and the films that they name,"
        self.root = find_root(self.name, root, "kinetics", source)
        self.path = None if path is None else Path(path).expanduser()

    def scan(self) -> Iterable[Example]:
        return self._found.sides

    def official_split(self) -> dict[Example, str]:
        sides = self._found.sides
        if "test" in sides.values():
            return dict(sides)
        return {example: "test" if side == "val" else side for example, side in sides.items()}

    @property
    def notes(self) -> tuple[str, ...]:
        found = self._found
        if missing := found.num_listed - len(found.sides):
            line = f"{missing} of {found.num_listed} listed films are not there (first {found.first_missing}.mp4)"
            return (f"{line}: left out",)
        return ()

    @cached_property
    def _found(self) -> _Found:
        tables = sorted(self.root.glob("*.csv")) if self.path is None else [self.path]
        if not tables:
            raise CorpusError(self.root, "holds no CSV of Kinetics", "put its lists there, or give corpus.path=FILE")
        films = {film.stem: film for film in find_media(self.root)}
        listed: set[str] = set()
        sides: dict[Example, str] = {}
        first_missing = ""
        for table in tables:
            for row in read_table(table, _COLUMNS):
                stem, side = _stem(table, row), _side(table, row)
                if stem in listed:
                    raise CorpusError(f"{table}, line {row.line}", f"{stem} is listed twice", "give corpus.path=FILE")
                listed.add(stem)
                if stem in films:
                    sides[Example(films[stem], row.cells["label"], group=row.cells["youtube_id"])] = side
                else:
                    first_missing = first_missing or stem
        return _Found(sides, len(listed), first_missing)


def _stem(table: Path, row: Row) -> str:
    times = row.cells["time_start"], row.cells["time_end"]
    if not all(time.isdecimal() for time in times):
        raise CorpusError(
            f"{table}, line {row.line}", f"{times[0]!r} to {times[1]!r} are no times", "give whole seconds"
        )
    return "_".join((row.cells["youtube_id"], *(f"{int(time):06d}" for time in times)))


def _side(table: Path, row: Row) -> str:
    if row.cells["split"] not in _SIDES:
        reason = f"unknown split {row.cells['split']!r}"
        raise CorpusError(f"{table}, line {row.line}", reason, f"choose from {', '.join(SIDES)}")
    return _SIDES[row.cells["split"]]
