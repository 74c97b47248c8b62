"""yesno: strings of Hebrew yes and no."""

import re
from collections.abc import Iterator
from pathlib import Path

from avpipe.corpora.corpus import Corpus, choose_label, find_root
from avpipe.corpora.example import Example
from avpipe.media import find_media

_NAME = re.compile(r"[01](_[01]){7}")
_WORDS = {"0": "no", "1": "yes"}
_TEST_FILES, _VAL_FILES = 20, 8


class YesNo(Corpus):
    """Sixty recordings of one speaker, eight words each; the target is the text, such as ``yes no no yes ...``.

    One speaker made them all, so there are no groups. The split (this project's) tests on the last twenty files by
    name and validates on the eight before; the first 32 train.

    Reference: "yesno", resource 1 of OpenSLR, recorded for the Kaldi project, 2012.
    """

    name = "yesno"
    licence = "Apache-2.0"
    has_classes = False

    def __init__(self, root: str | Path | None = None, label: str = "text") -> None:
        self.label = choose_label(self.name, label, ("text",))
        self.root = find_root(self.name, root, "yesno", "yesno (resource 1) from OpenSLR")

    def scan(self) -> Iterator[Example]:
        for path in find_media(self.root):
            if _NAME.fullmatch(path.stem):
                yield Example(path, " ".join(_WORDS[word] for word in path.stem.split("_")))

    def official_split(self) -> dict[Example, str]:
        examples = self.examples()
        train_files = max(len(examples) - _TEST_FILES - _VAL_FILES, 0)
        sides = ["train"] * train_files + ["val"] * _VAL_FILES + ["test"] * _TEST_FILES
        return dict(zip(examples, sides, strict=False))
