"""Speech Commands: single English words by thousands of speakers."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from avpipe.corpora.corpus import Corpus, find_root
from avpipe.corpora.errors import CorpusError
from avpipe.corpora.example import Example
from avpipe.corpora.lists import read_list
from avpipe.media import find_media

_NAME = re.compile(r"(?P<speaker>[0-9a-f]+)_nohash_\d+")
_LISTS = {"val": "validation_list.txt", "test": "testing_list.txt"}


class SpeechCommands(Corpus):
    """One-second clips in folders by word; the group is the speaker, known by a hash in the file's name.

    The official split is that of the two lists that come with the corpus; what stands on neither trains.
    Left out: ``_background_noise_``, long recordings that are no word.

    Args:
        root: the unpacked corpus.
        words: the words to take, such as ``[left, right]``; None: all there are.

    Reference: P. Warden, "Speech Commands: A Dataset for Limited-Vocabulary Speech Recognition", 2018,
    arXiv:1804.03209.
    """

    name = "speech_commands"
    licence = "CC BY 4.0"

    def __init__(self, root: str | Path | None = None, words: Sequence[str] | None = None) -> None:
        self.root = find_root(self.name, root, "speech_commands", "Speech Commands v0.02 from the TensorFlow data sets")
        self.words = words

    def scan(self) -> Iterator[Example]:
        for folder in self._word_folders():
            for path in find_media(folder):
                if name := _NAME.fullmatch(path.stem):
                    yield Example(path, folder.name, group=name["speaker"])

    def official_split(self) -> dict[Example, str]:
        remedy = "download the corpus anew, or split.by=group"
        listed = {line: side for side, name in _LISTS.items() for line in read_list(self.root / name, remedy)}
        return {example: listed.get(self.relative_path(example), "train") for example in self.examples()}

    def _word_folders(self) -> list[Path]:
        if self.words is None:
            return sorted(path for path in self.root.iterdir() if path.is_dir() and path.name[0] not in "._")
        for word in self.words:
            if not (self.root / word).is_dir():
                raise CorpusError(self.root / word, "no such folder", "check corpus.words and corpus.root")
        return [self.root / word for word in sorted(set(self.words))]
