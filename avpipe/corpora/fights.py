"""Fights: surveillance films with and without a fight."""

from collections.abc import Iterator
from pathlib import Path

from avpipe.corpora.corpus import SIDES, Corpus, find_root
from avpipe.corpora.errors import CorpusError
from avpipe.corpora.example import Example
from avpipe.corpora.tables import listed_file, read_table


class Fights(Corpus):
    """Clips of about two seconds, cut from surveillance films, labelled ``fight`` or ``noFight``.

    ``split.csv`` lists file, label, split and source. The group is the source film, which the split keeps together.
    28 clips have no source: they stand in the training part, and are never scored.

    Reference: S. Aktı, G. A. Tataroğlu, H. K. Ekenel, "Vision-based Fight Detection from Surveillance Cameras",
    IPTA 2019, arXiv:2002.04355.
    """

    name = "fights"
    licence = "MIT (repository); footage from public video"

    def __init__(self, root: str | Path | None = None) -> None:
        source = "the surveillance camera fight dataset from its GitHub page, with its split.csv,"
        self.root = find_root(self.name, root, "fights", source)

    def scan(self) -> Iterator[Example]:
        return (example for example, _ in self._listed())

    def official_split(self) -> dict[Example, str]:
        return dict(self._listed())

    def _listed(self) -> Iterator[tuple[Example, str]]:
        table = self.root / "split.csv"
        for line, row in read_table(table, ("file", "label", "split", "source")):
            if row["split"] not in SIDES:
                reason = f"unknown split {row['split']!r}"
                raise CorpusError(f"{table}, line {line}", reason, f"choose from {', '.join(SIDES)}")
            film = listed_file(self.root / row["file"], table)
            yield Example(film, row["label"], group=row["source"]), row["split"]
