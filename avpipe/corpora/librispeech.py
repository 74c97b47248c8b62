"""LibriSpeech: read English speech, who reads and what."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from avpipe.corpora.corpus import Corpus, choose_label, find_root
from avpipe.corpora.errors import CorpusError
from avpipe.corpora.example import Example
from avpipe.corpora.tables import unreadable
from avpipe.media import find_media

_NAME = re.compile(r"(?P<speaker>\d+)-(?P<chapter>\d+)-(?P<utterance>\d+)")
_SUBSET = re.compile(r"(dev|test)-\w+")
_SIDES = {"test": "test", "dev": "val"}


class LibriSpeech(Corpus):
    """Audio books, cut into utterances.

    Speaker and chapter are read from the file's name, so that a folder of files (as some subsets are packed), folders
    of speakers, and the full nesting ``subset/speaker/chapter/`` read alike; ``corpus.root`` may be one subset.

    ``label=speaker``: speakers to be named. The group is the chapter: its utterances share the room, the microphone
    and the day. Naming known speakers therefore needs at least two chapters of each; with one only ``split.by=random``
    can show both sides each speaker.

    ``label=voice``: speakers to be told apart by their voices, who need not have been trained on; the group is the
    speaker. ``label=text``: the transcripts, capital letters without punctuation, from the lists
    ``<speaker>-<chapter>.trans.txt`` beside the recordings; the group is the speaker. The official split of both is by
    subset: what lies in a folder whose name begins with ``test`` tests, with ``dev`` validates, all else trains.

    Reference: V. Panayotov, G. Chen, D. Povey, S. Khudanpur, "LibriSpeech: an ASR corpus based on public domain
    audio books", ICASSP 2015, doi:10.1109/ICASSP.2015.7178964.
    """

    name = "librispeech"
    licence = "CC BY 4.0"

    def __init__(self, root: str | Path | None = None, label: str = "speaker") -> None:
        self.label = choose_label(self.name, label, ("speaker", "voice", "text"))
        self.has_classes = self.label == "speaker"
        self.root = find_root(self.name, root, "librispeech", "LibriSpeech (resource 12) from OpenSLR")

    def scan(self) -> Iterator[Example]:
        transcripts = cache(_transcripts)  # a list is read once, not once for each of its recordings
        for path in find_media(self.root):
            if name := _NAME.fullmatch(path.stem):
                chapter = f"{name['speaker']}-{name['chapter']}"
                target = name["speaker"]
                if self.label == "text":
                    table = path.with_name(f"{chapter}.trans.txt")
                    target = _listed(path, table, transcripts(table))
                yield Example(path, target, group=chapter if self.label == "speaker" else name["speaker"])

    def official_split(self) -> dict[Example, str] | None:
        if self.label == "speaker":
            return None  # it sets speakers apart, whom this label needs on every side
        sides = {example: self._side(example) for example in self.examples()}
        return sides if set(sides.values()) != {"train"} else None

    def _side(self, example: Example) -> str:
        # The root counts only where it is a subset: what users call a folder of corpora says nothing.
        above = [self.root.name] if _SUBSET.fullmatch(self.root.name) else []
        for folder in (*above, *Path(self.relative_path(example)).parent.parts):
            for beginning, side in _SIDES.items():
                if folder.startswith(beginning):
                    return side
        return "train"


def _listed(path: Path, table: Path, transcripts: dict[str, str] | None) -> str:
    if transcripts is None:
        reason = f"has no transcript: there is no {table.name} beside it"
        raise CorpusError(path, reason, "download the corpus with its lists of transcripts")
    if path.stem not in transcripts:
        raise CorpusError(path, f"stands not in {table.name}", "download the corpus anew, or remove the file")
    return transcripts[path.stem]


def _transcripts(table: Path) -> dict[str, str] | None:
    """What is said in each recording, by its name; None: there is no such list."""
    if not table.is_file():
        return None
    try:
        lines = [line.strip().partition(" ") for line in table.read_text(encoding="utf-8-sig").split("\n")]
    except (OSError, UnicodeDecodeError) as error:
        raise unreadable(table, error) from error
    return {name: text.strip() for name, _, text in lines}
