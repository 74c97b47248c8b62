"""HMDB51: actions in films of the cinema and of the web."""

import re
from collections.abc import Iterator
from pathlib import Path

from avpipe.corpora.corpus import Corpus, find_root
from avpipe.corpora.errors import CorpusError
from avpipe.corpora.example import Example
from avpipe.corpora.lists import check_number, read_list
from avpipe.corpora.tables import listed_file

# Behind source and action: visible parts of the body, camera motion, people, viewpoint, quality, number of the clip.
_SUFFIX = re.compile(r"_[fhlu]_(cm|nm)_np\d_(ba|fr|le|ri)_(bad|med|goo)_\d+$")
_SIDES = {"1": "train", "2": "test"}


class Hmdb51(Corpus):
    """Clips of some seconds, 51 actions.

    Reads ``<action>/<source>_<action>_<properties>.avi`` and the lists ``<action>_test_split<N>.txt`` of
    ``testTrainMulti_7030_splits/`` beside the folders. What the chosen split leaves out (0 in its lists) is left out
    here. The group is the source film, as its name says. The official splits keep the clips of one scene together and
    not all those of a long film, so some test groups are trained on too, which a warning tells. Validation is drawn
    from the training part, by group.

    Args:
        root: the folder of class folders and lists.
        split: 1, 2 or 3, of the official ones.

    Reference: H. Kuehne et al., "HMDB: A Large Video Database for Human Motion Recognition", ICCV 2011.
    """

    name = "hmdb51"
    licence = "CC BY 4.0; films under their owners' terms"

    def __init__(self, root: str | Path | None = None, split: int = 1) -> None:
        check_number(split)
        self.split = split
        source = "HMDB51 and its three splits from the Serre Lab, Brown University,"
        self.root = find_root(self.name, root, "hmdb51", source)

    def scan(self) -> Iterator[Example]:
        return (example for example, _ in self._listed())

    def official_split(self) -> dict[Example, str]:
        return dict(self._listed())

    def _listed(self) -> Iterator[tuple[Example, str]]:
        ending = f"_test_split{self.split}.txt"
        tables = sorted((self.root / "testTrainMulti_7030_splits").glob(f"*{ending}"))
        if not tables:
            reason = f"holds no testTrainMulti_7030_splits/*{ending}"
            raise CorpusError(self.root, reason, "unpack the three splits of HMDB51 there")
        for table in tables:
            action = table.name.removesuffix(ending)
            for line in read_list(table):
                name, _, side = line.rpartition(" ")
                if side not in ("0", *_SIDES):
                    raise CorpusError(table, f"{line!r} is no film with 0, 1 or 2 behind it", "download it anew")
                if side in _SIDES:
                    film = listed_file(self.root / action / name.strip(), table)
                    yield Example(film, action, group=_source(film.stem, action)), _SIDES[side]


def _source(stem: str, action: str) -> str:
    """The source film that a clip's name begins with."""
    return _SUFFIX.sub("", stem).removesuffix(f"_{action}")
