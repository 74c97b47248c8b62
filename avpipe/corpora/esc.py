"""ESC-10 and ESC-50: environmental sounds."""

import re
from collections.abc import Iterator
from pathlib import Path

from avpipe.corpora.corpus import Corpus, find_root
from avpipe.corpora.example import Example
from avpipe.corpora.tables import listed_file, read_table
from avpipe.errors import ArgumentError
from avpipe.media import find_media

# fold-source-take, and in the later packing a class number too: 1-100032-A.wav, 1-100032-A-0.wav
_NAME = re.compile(r"(?P<fold>\d)-(?P<source>\d+)-(?P<take>[A-Z]\d?)(-\d+)?")
_FOLDER = re.compile(r"\d{3} - (?P<name>.+)")

# The first packing of ESC-10 names its classes otherwise than all later ones do: one name for one sound.
_CATEGORIES = {
    "Dog bark": "dog",
    "Baby cry": "crying_baby",
    "Person sneeze": "sneezing",
    "Fire crackling": "crackling_fire",
}


class Esc(Corpus):
    """Five-second clips of environmental sounds, in folds that share no source recording.

    Reads class folders ``NNN - Name/`` (the first packing) and ``meta/esc50.csv`` with ``audio/`` (the later one);
    both give the categories of ``esc50.csv``. The group is the source recording that a clip was cut from.

    Args:
        root: the unpacked corpus.
        classes: 10 or 50. Class folders are taken as they are; of the later packing 10 takes the rows flagged esc10.
        val_fold: the fold that validates in the official split.
        test_fold: the fold that tests in it; the others train.

    Reference: K. J. Piczak, "ESC: Dataset for Environmental Sound Classification", ACM Multimedia 2015,
    doi:10.1145/2733373.2806390.
    """

    def __init__(
        self, root: str | Path | None = None, classes: int = 10, val_fold: int = 3, test_fold: int = 4
    ) -> None:
        if classes not in (10, 50):
            raise ArgumentError(f"corpus.classes={classes}", "there are ESC-10 and ESC-50", "choose 10 or 50")
        self.name = f"esc{classes}"
        self.classes = classes
        self.licence = "CC BY 3.0 / CC0" if classes == 10 else "CC BY-NC 3.0"
        self.root = find_root(self.name, root, self.name, f"ESC-{classes} from its GitHub page")
        self._sides = {val_fold: "val", test_fold: "test"}

    def scan(self) -> Iterator[Example]:
        table = self.root / "meta" / "esc50.csv"
        labelled = self._from_table(table) if table.is_file() else self._from_folders()
        for path, label in labelled:
            if name := _NAME.fullmatch(path.stem):
                yield Example(path, label, group=f"{name['fold']}-{name['source']}")

    def official_split(self) -> dict[Example, str]:
        return {example: self._sides.get(int(example.group[0]), "train") for example in self.examples()}

    def _from_folders(self) -> Iterator[tuple[Path, str]]:
        for folder in self.root.iterdir():
            if match := _FOLDER.fullmatch(folder.name):
                label = _CATEGORIES.get(match["name"], match["name"].lower().replace(" ", "_"))
                yield from ((path, label) for path in find_media(folder))

    def _from_table(self, table: Path) -> Iterator[tuple[Path, str]]:
        for row in read_table(table, ("filename", "category", "esc10")):
            if self.classes == 50 or row.cells["esc10"].lower() == "true":
                yield listed_file(self.root / "audio" / row.cells["filename"], table), row.cells["category"]
