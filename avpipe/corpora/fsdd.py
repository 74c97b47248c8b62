"""FSDD: spoken English digits."""

import re
from collections.abc import Iterator
from pathlib import Path

from avpipe.corpora.corpus import Corpus, choose_label, find_root
from avpipe.corpora.example import Example
from avpipe.media import find_media

_NAME = re.compile(r"(?P<digit>\d)_(?P<speaker>[A-Za-z]+)_(?P<take>\d+)")


class Fsdd(Corpus):
    """The Free Spoken Digit Dataset: ten digits, fifty takes each by each of six speakers.

    The group is the speaker. For ``label=speaker`` it is the take, of which every speaker has every one.
    The official split tests on takes 0-4; of the rest takes 5-9 validate. It knows every speaker, so it does not
    tell how unseen speakers fare (``split.by=group`` does).

    Reference: Z. Jackson and others, "Free Spoken Digit Dataset", 2016-2020, doi:10.5281/zenodo.1342401.
    """

    name = "fsdd"
    licence = "CC BY-SA 4.0"

    def __init__(self, root: str | Path | None = None, label: str = "digit") -> None:
        self.label = choose_label(self.name, label, ("digit", "speaker"))
        self.root = find_root(self.name, root, "fsdd", "the Free Spoken Digit Dataset from its GitHub page")

    def scan(self) -> Iterator[Example]:
        for path in find_media(self.root):
            if name := _NAME.fullmatch(path.stem):
                yield Example(path, name[self.label], group=name["take" if self.label == "speaker" else "speaker"])

    def official_split(self) -> dict[Example, str]:
        return {example: _side(int(example.path.stem.rpartition("_")[2])) for example in self.examples()}


def _side(take: int) -> str:
    if take < 5:
        return "test"
    return "val" if take < 10 else "train"
