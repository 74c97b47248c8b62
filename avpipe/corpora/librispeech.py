"""LibriSpeech: read English speech, by speaker."""

import re
from collections.abc import Iterator
from pathlib import Path

from avpipe.corpora.corpus import Corpus, choose_label, find_root
from avpipe.corpora.example import Example
from avpipe.media import find_media

_NAME = re.compile(r"(?P<speaker>\d+)-(?P<chapter>\d+)-(?P<utterance>\d+)")


class LibriSpeech(Corpus):
    """Audio books, cut into utterances.

    Speaker and chapter are read from the file's name, so that a folder of files (as some subsets are packed), folders
    of speakers, and the full nesting ``subset/speaker/chapter/`` read alike; ``corpus.root`` may be one subset.

    The group is the chapter: its utterances share the room, the microphone and the day. Naming known speakers
    therefore needs at least two chapters of each; with one only ``split.by=random`` can show both sides each speaker.

    Reference: V. Panayotov, G. Chen, D. Povey, S. Khudanpur, "LibriSpeech: an ASR corpus based on public domain
    audio books", ICASSP 2015, doi:10.1109/ICASSP.2015.7178964.
    """

    name = "librispeech"
    licence = "CC BY 4.0"

    def __init__(self, root: str | Path | None = None, label: str = "speaker") -> None:
        self.label = choose_label(self.name, label, ("speaker",))
        self.root = find_root(self.name, root, "librispeech", "LibriSpeech (resource 12) from OpenSLR")

    def scan(self) -> Iterator[Example]:
        for path in find_media(self.root):
            if name := _NAME.fullmatch(path.stem):
                yield Example(path, name["speaker"], group=f"{name['speaker']}-{name['chapter']}")
