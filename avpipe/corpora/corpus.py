"""What every corpus offers, and how it finds its folder."""

import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path

from avpipe.corpora.errors import CorpusError
from avpipe.corpora.example import Example
from avpipe.errors import ArgumentError

SIDES = ("train", "val", "test")
"""The sides of a split."""

SIDE_NAMES = {side: side for side in SIDES} | {"valid": "val", "validation": "val", "dev": "val"}
"""The side that each name given by a user's manifest or folder means."""

CORPORA_VARIABLE = "AVPIPE_CORPORA"
"""The environment variable that names the folder which holds the corpora, one folder each."""


class Corpus(ABC):
    """Labelled recordings on disk.

    A corpus is one small module: a constructor that finds the folder and keeps what is to be labelled,
    :meth:`scan`, and :meth:`official_split` where its authors, or this project, laid down a split.
    """

    name: str
    """As in ``corpus=NAME``."""
    root: Path
    """Absolute; paths in split manifests are hashed relative to it."""
    other_roots: tuple[Path, ...] = ()
    """Other folders that hold recordings of the corpus, such as the cache; paths there are hashed relative to them."""
    licence: str
    """Licence of the recordings; what learns from them says so."""
    fixed_split: bool = False
    """Examples stand on the sides of the official split and make no sense on others."""
    has_classes: bool = True
    """Targets are names of classes. False: free text, or voices to tell apart, none of which has to be everywhere."""

    sought: str = "is this the right folder?"
    """What to do about a folder that holds nothing of the corpus."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be known of it before scores on it are believed, a line each; every split's warnings tell it."""
        return ()

    @abstractmethod
    def scan(self) -> Iterable[Example]:
        """Every example, in any order."""

    def examples(self) -> list[Example]:
        """Every example, sorted by path and start.

        Raises:
            CorpusError: there is none.
        """
        found = sorted(self.scan(), key=self._sort_key)
        if not found:
            raise CorpusError(self.root, f"holds no recording of the corpus {self.name}", self.sought)
        return found

    def official_split(self) -> dict[Example, str] | None:
        """The side (one of ``SIDES``) of each example, where the corpus has a split of its own."""
        return None

    def relative_path(self, example: Example) -> str:
        """The example's path relative to the corpus's root, with forward slashes on every system."""
        return relative_to_root(example.path, self.root, *self.other_roots)

    def _sort_key(self, example: Example) -> tuple[str, float, float, str]:
        end_sec = float("inf") if example.end_sec is None else example.end_sec
        return self.relative_path(example), example.start_sec, end_sec, str(example.target)


def relative_to_root(path: Path, root: Path, *others: Path) -> str:
    """``path`` relative to that root which holds it, the deepest of several, with forward slashes.

    Where it lies in none of them: relative to the first, through ``..``.
    """
    holding = [each for each in (root, *others) if path.is_relative_to(each)]
    if holding:
        return path.relative_to(max(holding, key=lambda each: len(each.parts))).as_posix()
    return Path(os.path.relpath(path, root)).as_posix()


def find_root(name: str, root: str | Path | None, folder: str, source: str) -> Path:
    """The folder of a known corpus: ``root``, or else ``folder`` under ``$AVPIPE_CORPORA``.

    Args:
        name: the corpus, as in ``corpus=NAME``.
        root: as given by ``corpus.root=``; None or empty: not given.
        folder: its name under ``$AVPIPE_CORPORA``.
        source: where to get the corpus, in words.

    Raises:
        CorpusError: there is no such folder.
    """
    remedy = f"get {source} and give corpus.root=DIR"
    if root:
        return existing_folder(root, remedy)
    parent = os.environ.get(CORPORA_VARIABLE)
    if not parent:
        raise CorpusError(f"corpus={name}", f"neither corpus.root nor {CORPORA_VARIABLE} is given", remedy)
    return existing_folder(Path(parent) / folder, remedy)


def existing_folder(folder: str | Path, remedy: str) -> Path:
    """``folder``, made absolute.

    Raises:
        CorpusError: it does not exist or is a file.
    """
    # Not resolved: through a symbolic link the corpus keeps the name by which the user knows it.
    path = Path(os.path.abspath(Path(folder).expanduser()))
    if not path.is_dir():
        raise CorpusError(path, "is not a folder" if path.exists() else "no such folder", remedy)
    return path


def choose_label(name: str, label: str, choices: Sequence[str]) -> str:
    """``label``, if the corpus ``name`` can label it.

    Raises:
        ArgumentError: it cannot.
    """
    if label not in choices:
        reason = f"the corpus {name} does not label it"
        raise ArgumentError(f"corpus.label={label}", reason, f"choose from {', '.join(choices)}")
    return label
