"""UCF101: actions in films from YouTube."""

import re
from collections.abc import Iterator
from pathlib import Path

from avpipe.corpora.corpus import Corpus, find_root
from avpipe.corpora.errors import CorpusError
from avpipe.corpora.example import Example
from avpipe.corpora.lists import check_number, read_list
from avpipe.corpora.tables import listed_file

_NAME = re.compile(r"v_(?P<action>\w+)_g(?P<source>\d+)_c\d+")
_LISTS = {"train": "trainlist", "test": "testlist"}


class Ucf101(Corpus):
    """Clips of some seconds, 101 actions; about seven clips are cut from one source film.

    Reads ``<action>/v_<action>_g<source>_c<clip>.avi``, in the root or in ``UCF-101/``, and the lists of
    ``ucfTrainTestlist/`` beside them. The group is the source film, which the official splits keep together; a split
    that does not scores how well films are known again. Validation is drawn from the training list, by source.

    Args:
        root: the folder of class folders and lists.
        split: 1, 2 or 3, of the official ones.

    Reference: K. Soomro, A. R. Zamir, M. Shah, "UCF101: A Dataset of 101 Human Actions Classes From Videos in The
    Wild", 2012, arXiv:1212.0402.
    """

    name = "ucf101"
    licence = "not stated; films from YouTube"

    def __init__(self, root: str | Path | None = None, split: int = 1) -> None:
        check_number(split)
        self.split = split
        source = "UCF101 and its splits for action recognition from the Center for Research in Computer Vision, UCF,"
        self.root = find_root(self.name, root, "ucf101", source)

    def scan(self) -> Iterator[Example]:
        return (example for example, _ in self._listed())

    def official_split(self) -> dict[Example, str]:
        return dict(self._listed())

    def _listed(self) -> Iterator[tuple[Example, str]]:
        lists = self.root / "ucfTrainTestlist"
        actions = {line.split()[-1] for line in read_list(lists / "classInd.txt")}
        films = self.root / "UCF-101" if (self.root / "UCF-101").is_dir() else self.root
        for side, kind in _LISTS.items():
            table = lists / f"{kind}{self.split:02d}.txt"
            for line in read_list(table):
                film = Path(line.split()[0])  # the training list has the action's number behind it
                name = _NAME.fullmatch(film.stem)
                if name is None or film.parent.name not in actions:
                    raise CorpusError(table, f"{line!r} is no film of an action of classInd.txt", "download it anew")
                path = listed_file(films / film, table)
                # The number first: folds are cut from groups sorted by name, and each is to have every action.
                yield Example(path, film.parent.name, group=f"g{name['source']}_{name['action']}"), side
